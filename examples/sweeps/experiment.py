"""One file for each combination: its result, or the error."""


def run_experiment(param1, param2):
    if (param1, param2) == (2, "B"):
        raise ValueError("no luck")
    return f"{param1}{param2}"


def main(param1, param2):
    try:
        result = run_experiment(param1, param2)
        with open(f"results_{param1}_{param2}.txt", "w") as f:
            f.write(str(result))
    except Exception as e:
        with open(f"error_{param1}_{param2}.txt", "w") as f:
            f.write(f"Error: {str(e)}")
