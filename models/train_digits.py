"""Train `digits.onnx`, a small CNN with a residual block, on scikit-learn's 8×8 digits.

Run from the repository's root: `python -m models.train_digits`. Writes the .onnx file and, beside it, the .npz with
calibration and test images.
"""

import argparse
from pathlib import Path

from models.digits_data import small_digits, split_digits
from models.training import accuracy, check_output, export, require_torch, run_script, save_samples, train

__all__ = ["main"]


def main() -> None:
    """Parse the command line, train, export, and print the test accuracy."""
    parser = argparse.ArgumentParser(prog="python -m models.train_digits", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("digits.onnx"), help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=100, help="passes over the training images (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of weights, order and distortions (default %(default)s)")
    arguments = parser.parse_args()
    check_output(arguments.output)
    require_torch()
    from models.networks import DigitsNet

    split = split_digits(*small_digits())
    network = train(DigitsNet, split, epochs=arguments.epochs, seed=arguments.seed)
    export(network, (1, 8, 8), arguments.output)
    save_samples(split, arguments.output.with_suffix(".npz"))
    for name, images, labels in [("training", split.x_train, split.y_train), ("test", split.x_test, split.y_test)]:
        print(f"{name} accuracy: {100 * accuracy(network, images, labels):.2f} % of {len(labels)} images")


if __name__ == "__main__":
    run_script(main)
