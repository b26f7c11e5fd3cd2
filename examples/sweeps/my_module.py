"""What hakurun can run of a module: itself, a function, a method of a class."""

import sys


def my_function(value):
    print(f"my_function got {value!r}")


class Model:
    rate = 0.5

    @classmethod
    def train(cls, size):
        print(f"{cls.__name__} with rate {cls.rate} and size {size!r}")

    @staticmethod
    def describe(name):
        print(f"a model named {name!r}")


if __name__ == "__main__":
    print(f"my_module got {sys.argv[1:]}")
