"""What is learned from: images as memory-mapped bytes, the readers that make them, and the batches drawn from them."""

from tutelage.data.arrays import from_array, from_npy
from tutelage.data.batches import Batches
from tutelage.data.bundled import digit_labels, digits
from tutelage.data.cache import cache_folder
from tutelage.data.download import download, fetch_mnist
from tutelage.data.folder import folder_images, folder_splits
from tutelage.data.idx import labels, mnist
from tutelage.data.images import ImageSet, Splits
from tutelage.data.named import DataSpec, find, load

__all__ = [
    "Batches",
    "DataSpec",
    "ImageSet",
    "Splits",
    "cache_folder",
    "digit_labels",
    "digits",
    "download",
    "fetch_mnist",
    "find",
    "folder_images",
    "folder_splits",
    "from_array",
    "from_npy",
    "labels",
    "load",
    "mnist",
]
