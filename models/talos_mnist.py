"""Train `talos_mnist.onnx` (conv 1→4 3×3, ReLU, max-pool 2×2, linear 676→10) on 28×28 digits.

Run from the repository's root: `python -m models.talos_mnist`. Without `--images` it takes scikit-learn's 8×8 digits
upscaled to 28×28. Writes the .onnx file and, beside it, the .npz with calibration and test images.
"""

import argparse
from pathlib import Path

from models.digits_data import idx_digits, npz_digits, split_digits, upscaled_digits
from models.training import accuracy, check_output, export, require_torch, run_script, save_samples, train

__all__ = ["main"]


def main() -> None:
    """Parse the command line, train, export, and print the test accuracy."""
    parser = argparse.ArgumentParser(prog="python -m models.talos_mnist", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=Path, help=".npz with x (N×28×28) and y, or MNIST's images as idx (.gz) with --labels")
    parser.add_argument("--labels", type=Path, help="labels as idx (.gz), when --images is an idx file")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("talos_mnist.onnx"), help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=100, help="passes over the training images (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of weights, order and distortions (default %(default)s)")
    arguments = parser.parse_args()
    if arguments.labels and not arguments.images:
        parser.error("--labels needs --images")
    check_output(arguments.output)
    if arguments.labels:
        images, labels = idx_digits(arguments.images, arguments.labels)
    elif arguments.images:
        images, labels = npz_digits(arguments.images)
    else:
        images, labels = upscaled_digits()
    require_torch()
    from models.networks import TalosMnist

    split = split_digits(images, labels)
    network = train(TalosMnist, split, epochs=arguments.epochs, seed=arguments.seed)
    export(network, (1, 28, 28), arguments.output)
    save_samples(split, arguments.output.with_suffix(".npz"))
    for name, x, y in [("training", split.x_train, split.y_train), ("test", split.x_test, split.y_test)]:
        print(f"{name} accuracy: {100 * accuracy(network, x, y):.2f} % of {len(y)} images")


if __name__ == "__main__":
    run_script(main)
