"""The streamer's constructor, its ini file, and the offline mode."""

from __future__ import annotations

import inspect
from pathlib import Path
from uuid import UUID

import pytest
from streamer_rig import Rig, hub, rig

from pilogger.errors import BadValue, ConfigError
from pilogger.initialstate import Streamer
from pilogger.initialstate.settings import Settings, load

__all__ = ["hub", "rig"]

INI = """
[isstreamer.client_config]
access_key: from_ini
default_bucket: Ini bucket
offline_mode: false
offline_file: ./here
[isstreamer.api_config]
stream_api_base: {url}
"""


def test_the_parameters_are_the_originals() -> None:
    """In the same order and with the same defaults; ours come by name only."""
    parameters = inspect.signature(Streamer).parameters.values()
    old = [(it.name, it.default) for it in parameters if it.kind is it.POSITIONAL_OR_KEYWORD]
    new = [it.name for it in parameters if it.kind is it.KEYWORD_ONLY]

    assert old == [
        ("bucket_name", ""), ("bucket_key", ""), ("access_key", ""), ("ini_file_location", None),
        ("debug_level", 0), ("buffer_size", 10), ("offline", None), ("use_async", True),
    ]  # fmt: skip
    assert new == ["store", "base_url"]


def test_what_is_given_can_be_read_again(rig: Rig) -> None:
    """Under the original's names."""
    with rig.streamer(bucket_name="Green", debug_level=1, buffer_size=20, use_async=False) as it:
        assert (it.BucketName, it.BucketKey, it.AccessKey) == ("Green", rig.bucket, "key")
        assert (it.BufferSize, it.DebugLevel, it.Async, it.Offline) == (20, 1, False, False)
        assert (it.StreamApiBase, it.ApiVersion) == (rig.hub.url, "<=0.0.4")
        assert it.IsClosed is False
    assert it.IsClosed is True


def test_without_a_bucket_key_it_is_a_new_bucket(rig: Rig) -> None:
    """A UUID, of version 4 as documented; two streamers do not share it."""
    keys = []
    for _ in range(2):
        with rig.streamer(bucket_name="Some Bucket Name", bucket_key="") as streamer:
            keys.append(UUID(streamer.BucketKey))

    assert {key.version for key in keys} == {4}
    assert keys[0] != keys[1]


@pytest.mark.parametrize("place", ["argument", "home", "here"])
def test_an_ini_file_says_what_the_arguments_do_not(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """It is the one that was named, else that in the home folder, else that in the current one."""
    home, here = tmp_path / "home", tmp_path / "here"
    for folder in (home, here):
        folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    files = {"argument": tmp_path / "my.ini", "home": home / "isstreamer.ini"}
    path = files.get(place, here / "isstreamer.ini")
    path.write_text(INI.format(url=rig.hub.url))
    named = str(path) if place == "argument" else None
    with Streamer(bucket_key=rig.bucket, ini_file_location=named) as streamer:
        streamer.log("a", 1)
        said = (streamer.AccessKey, streamer.BucketName, streamer.StreamApiBase, streamer.Offline)

    assert said == ("from_ini", "Ini bucket", rig.hub.url, False)
    assert rig.values() == {"a": 1}


def test_the_home_folder_goes_before_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is named before both."""
    for name in ("home", "here", "named"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "isstreamer.ini").write_text(
            f"[isstreamer.client_config]\naccess_key={name} 100%\n"
        )
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")

    assert load().access_key == "home 100%"
    assert load(tmp_path / "named" / "isstreamer.ini").access_key == "named 100%"
    (tmp_path / "home" / "isstreamer.ini").unlink()
    assert load().access_key == "here 100%"


def test_arguments_go_before_the_ini_file(rig: Rig, tmp_path: Path) -> None:
    """Each for itself."""
    (tmp_path / "isstreamer.ini").write_text(
        INI.format(url="http://nowhere").replace("false", "true")
    )
    with rig.streamer(bucket_name="Mine", offline=False) as streamer:
        streamer.log("a", 1)

        assert (streamer.AccessKey, streamer.BucketName) == ("key", "Mine")
    assert rig.values() == {"a": 1}


def test_without_a_file_the_usual_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's address, online; in a file each setting may be missing."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    usual = Settings("", "", False, Path("isstreamer_out.csv"), "https://groker.init.st")

    assert load() == usual

    (tmp_path / "isstreamer.ini").write_text("[isstreamer.client_config]\n")

    assert load() == usual


@pytest.mark.parametrize(("said", "offline"), [("false", False), ("true", True), ("False", True)])
def test_offline_is_everything_but_false(tmp_path: Path, said: str, offline: bool) -> None:
    """As the original has it."""
    path = tmp_path / "a.ini"
    path.write_text(f"[isstreamer.client_config]\noffline_mode={said}\noffline_file=x/data\n")

    assert load(path).offline is offline
    assert load(path).offline_file == Path("x/data.csv")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, "cannot be read: No such file"),
        ("access_key = x\n", "is no ini file: File contains no section headers"),
        ("\xff", "is no ini file"),
        ("[isstreamer.api_config]\nstream_api_base=groker\n", "begins with http:// or https://"),
    ],
)
def test_a_bad_ini_file_is_named(tmp_path: Path, text: str | None, what: str) -> None:
    """With what is wrong in it."""
    path = tmp_path / "my.ini"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))

    with pytest.raises(ConfigError, match=rf"my\.ini: .*{what}"):
        Streamer(ini_file_location=path, access_key="key")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"access_key": ""}, "access_key"),
        ({"access_key": "a\nb"}, "access_key"),
        ({"bucket_key": "a:b"}, "the bucket's key cannot hold"),
        ({"bucket_key": "k" * 251}, "the bucket's key has 251 characters"),
        ({"bucket_name": "n" * 251}, "the bucket's name has 251 characters"),
        ({"base_url": "ftp://here"}, "base_url is like"),
    ],
)
def test_what_no_request_could_carry_is_an_error(
    rig: Rig, options: dict[str, str], what: str
) -> None:
    """At once, at every debug level: nothing would ever arrive."""
    with pytest.raises(BadValue, match=what):
        rig.streamer(**{"bucket_key": "b", **options})


def test_offline_writes_csv_and_sends_nothing(
    rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows of epoch, key and value; neither key nor server is needed. A second run goes on."""
    for number in range(2):
        with Streamer("Green", offline=True) as streamer:
            streamer.log("a", number, epoch=1795217624.25)
            streamer.log_object({"b": "x, y"}, epoch=5)
            streamer.flush()
    streamer.log("after", 2, epoch=6)
    streamer.close()

    assert (tmp_path / "isstreamer_out.csv").read_text().splitlines() == [
        "1795217624.25,a,0", '5,dict_b,"x, y"',
        "1795217624.25,a,1", '5,dict_b,"x, y"',
        "6,after,2",
    ]  # fmt: skip
    assert capsys.readouterr().out == "Working in offline mode.\n" * 2
    assert not (tmp_path / ".local").exists()
