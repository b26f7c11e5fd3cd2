/* The floor for whoever starts programs: vfork, execve and waitpid, one after the other: bench_vfork PROGRAM COUNT */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  char* const words[] = {argv[1], NULL};
  for (long i = atol(argv[2]); i > 0; --i) {
    const pid_t pid = vfork();
    if (pid == 0) {
      execve(argv[1], words, environ);
      _exit(127);
    }
    waitpid(pid, NULL, 0);
  }
  return 0;
}
