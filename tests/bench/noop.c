/* The smallest program there is: built with -nostdlib -static, it ends at once with 0. */
void _start(void);
void _start(void) {
#if defined(__x86_64__)
  __asm__ volatile("mov $60, %eax\n xor %edi, %edi\n syscall");
#elif defined(__aarch64__)
  __asm__ volatile("mov x8, #93\n mov x0, #0\n svc #0");
#else
#error "the exit system call of this machine is not known here"
#endif
}
