"""A bundle's folder as it is uploaded to the Hugging Face hub."""

from pathlib import Path

from t3d.pack.bundle_files import Contents, file_sha256
from t3d.pack.bundle_zip import open_content
from t3d.pack.manifest import MANIFEST, Entry, Manifest
from t3d.pack.new_folder import new_folder

# Byte for byte what monai.bundle.push_to_hf_hub puts before docs/README.md: it writes README.md anew while uploading,
# and the uploaded folder must still be what the manifest says.
FRONT_MATTER = "---\ntags:\n- monai\n- medical\nlibrary_name: monai\nlicense: apache-2.0\n---\n"


def model_card(readme: str) -> bytes:
    """README.md of the hub: the front matter that the hub reads, then the bundle's docs/README.md."""
    return (FRONT_MATTER + readme).encode()


def write_hub_folder(folder: Path, contents: Contents, *, about: dict[str, str]) -> None:
    """Write a package as a plain folder with a model card; weights of any size are in it, the hub stores them.

    Args:
        folder: must not exist.
        contents: as for the zip.
        about: as for the zip.

    Raises:
        T3DError: the folder exists or cannot be written.
    """
    with open_content(contents["docs/README.md"]) as file:
        readme = file.read().decode("utf-8")
    contents = {**contents, "README.md": model_card(readme)}
    with new_folder(folder) as part:
        entries = {}
        for name in sorted(contents):
            target = part / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with open_content(contents[name]) as source, open(target, "wb") as file:
                while block := source.read(1 << 20):
                    file.write(block)
            with open(target, "rb") as file:
                entries[name] = Entry(file_sha256(file), target.stat().st_size)
        (part / MANIFEST).write_bytes(Manifest(**about, files=entries).to_bytes())
