"""Archives of a host are unpacked as a whole or not at all; those that are made to do harm are refused."""

import io
import stat
import zipfile

import pytest

from copier_mlops.hosts.archive import ArchiveError, unpack
from tests.project import files

FILE = stat.S_IFREG | 0o644


def archive_of(*members: tuple[str, bytes, int]) -> io.BytesIO:
    """Make an archive of names, contents and modes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content, mode in members:
            member = zipfile.ZipInfo(name)
            member.filename = name  # as it is written, whatever this system's separator
            member.external_attr, member.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            made.writestr(member, content)
    buffer.seek(0)
    return buffer


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ([("/etc/passwd", b"x", FILE)], "not the name of a file below a folder"),
        ([("../x", b"x", FILE)], "not the name of a file below a folder"),
        ([("a/../../x", b"x", FILE)], "not the name of a file below a folder"),
        ([("C:/x", b"x", FILE)], "not the name of a file below a folder"),
        ([("c:x", b"x", FILE)], "not the name of a file below a folder"),
        ([("..\\x", b"x", FILE)], "not the name of a file below a folder"),
        ([("\\\\server\\share\\x", b"x", FILE)], "not the name of a file below a folder"),
        ([("a\x1b[2Jb", b"x", FILE)], "not the name of a file below a folder"),
        ([("./", b"", FILE)], "not the name of a file below a folder"),
        ([("link", b"/etc/passwd", stat.S_IFLNK | 0o777)], "a link or a device"),
        ([("pipe", b"", stat.S_IFIFO | 0o644)], "a link or a device"),
        ([("device", b"", stat.S_IFCHR | 0o644)], "a link or a device"),
        ([("a", b"1", FILE), ("a/b", b"2", FILE)], "twice, or below a file"),
        ([("a/b", b"2", FILE), ("a", b"1", FILE)], "twice, or below a file"),
        ([("a", b"1", FILE), ("./a", b"2", FILE)], "twice, or below a file"),
        ([], "has no file in it"),
        ([("a/", b"", stat.S_IFDIR | 0o755)], "has no file in it"),
    ],
    ids=str,
)
def test_a_hostile_archive_is_refused_as_a_whole(tmp_path, members, text):
    good = [("good.txt", b"good", FILE)] if members and not members[0][0].endswith("a/") else []
    with pytest.raises(ArchiveError, match=text):
        unpack(archive_of(*good, *members), ("",), tmp_path / "target")
    assert list(tmp_path.rglob("*")) == []


def that_says_a_size(archive: io.BytesIO, size: int) -> io.BytesIO:
    """Write another size of the unpacked file into an archive of one file."""
    content = bytearray(archive.getvalue())
    for place in (22, content.index(b"PK\x01\x02") + 24):  # in the file's own header, and in the directory
        content[place : place + 4] = size.to_bytes(4, "little")
    return io.BytesIO(content)


def test_an_archive_with_more_than_two_gigabytes_is_refused(tmp_path):
    bomb = that_says_a_size(archive_of(("zeros", b"\0" * 100_000, FILE)), 2_000_000_001)
    with pytest.raises(ArchiveError, match=r"has 2\.0 GB when unpacked; 2 GB is the most"):
        unpack(bomb, ("",), tmp_path / "target")
    assert list(tmp_path.rglob("*")) == []


def test_an_archive_with_too_many_files_is_refused(tmp_path):
    many = archive_of(*((f"{number}", b"", FILE) for number in range(20_001)))
    with pytest.raises(ArchiveError, match="has 20001 files; 20000 is the most"):
        unpack(many, ("",), tmp_path / "target")
    assert list(tmp_path.rglob("*")) == []


def test_an_archive_that_says_a_smaller_size_than_it_has_is_refused(tmp_path):
    liar = that_says_a_size(archive_of(("zeros", b"\0" * 100_000, FILE)), 10)
    with pytest.raises(ArchiveError, match="cannot be read"):
        unpack(liar, ("",), tmp_path / "target")


@pytest.mark.parametrize("change", ["flipped", "cut", "encrypted", "unknown method", "empty"])
def test_a_broken_archive_is_refused(tmp_path, change):
    content = bytearray(archive_of(("a.txt", bytes(range(256)) * 40, FILE)).getvalue())
    directory = content.index(b"PK\x01\x02")
    if change == "flipped":
        content[60] ^= 0xFF
    elif change == "cut":
        del content[100:]
    elif change == "encrypted":
        content[6] |= 1
        content[directory + 8] |= 1
    elif change == "unknown method":
        content[8] = content[directory + 10] = 77
    else:
        content.clear()
    with pytest.raises(ArchiveError, match="cannot be read"):
        unpack(io.BytesIO(content), ("",), tmp_path / "target")


@pytest.mark.parametrize("folders", [("build/a/",), ("a/", "build/a/"), ("x/", "build/a/", "")])
def test_only_the_folder_of_the_job_is_taken(tmp_path, folders):
    made = archive_of(("build/a/b/c.txt", b"c", FILE), ("build/ab/d.txt", b"d", FILE), ("e.txt", b"e", FILE))
    assert unpack(made, folders, tmp_path / "target") == (1, 1)
    assert files(tmp_path / "target") == {"b/c.txt": b"c"}
