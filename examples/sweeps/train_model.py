"""train_model.py LR BATCH EPOCHS, or train_model.py --lr LR --batch BATCH [--epochs EPOCHS]"""

import sys
import time


def read_arguments(words):
    values = {"--lr": None, "--batch": None, "--epochs": "10"}
    if words and words[0] in values:
        values.update(zip(words[::2], words[1::2]))
        words = list(values.values())
    learning_rate, batch_size, epochs = words
    return float(learning_rate), int(batch_size), int(epochs)


def main():
    learning_rate, batch_size, epochs = read_arguments(sys.argv[1:])

    print(f"Training model with lr={learning_rate}, batch={batch_size}, epochs={epochs}")
    # Simulate training
    time.sleep(1)
    accuracy = learning_rate * batch_size * epochs / 100
    print(f"Accuracy: {min(accuracy, 0.95):.2f}")


if __name__ == "__main__":
    main()
