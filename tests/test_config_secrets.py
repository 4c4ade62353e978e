"""`!secret` and `!env`: found, missing or unreadable, and never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from config_rig import mistake, mistakes

from pilogger.config import load, loads
from pilogger.config.parser import Unresolved
from pilogger.config.secrets import Secrets, sealed
from pilogger.errors import ConfigError

TEXT = "sensors: {air: {driver: bme280}}\ndevice: !secret name\n"


def write(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "secrets.yaml"
    file.write_text(text)
    file.chmod(mode)
    return file


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that systemd gives to a service."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    return folder


def test_a_secret_comes_from_the_file_beside_the_config(tmp_path: Path) -> None:
    """Wherever the program was started."""
    write(tmp_path, "name: greenhouse\n")
    (tmp_path / "a.yaml").write_text(TEXT)

    assert load(tmp_path / "a.yaml").device == "greenhouse"


@pytest.mark.fault(91)
def test_a_systemd_credential_goes_first(tmp_path: Path, credentials: Path) -> None:
    """Without the newline that most tools end it with; the file is not even read."""
    write(tmp_path, "name: from the file\n", mode=0o644)
    (credentials / "name").write_text("from systemd\n")

    assert loads(TEXT, folder=tmp_path).device == "from systemd"


def test_the_file_serves_what_systemd_does_not_have(tmp_path: Path, credentials: Path) -> None:
    """Both may be in use."""
    write(tmp_path, "name: from the file\n")

    assert loads(TEXT, folder=tmp_path).device == "from the file"


def test_env_takes_a_variable_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Always as text."""
    monkeypatch.setenv("PLACE", "12")

    assert loads(TEXT.replace("!secret name", "!env PLACE")).device == "12"


def test_a_missing_secret_is_told_where_it_is_used(tmp_path: Path) -> None:
    """No file, and no entry in it, are two different sentences."""
    no_file = mistake(TEXT, tmp_path)
    file = write(tmp_path, "nam: x\n")
    no_entry = mistake(TEXT, tmp_path)

    assert no_file == f"2:9: device: there is no secret name: {file} does not exist"
    assert no_entry == f"2:9: device: {file} has no secret name (did you mean nam?)"


@pytest.mark.fault(91)
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    """Once, however many secrets are in it; with the command that mends it."""
    file = write(tmp_path, "name: x\n", mode)
    found = mistakes(TEXT + "store: {path: !secret name}\n", tmp_path)

    assert found == [f"{file}:1:1: others can read the secrets in it: run chmod 600 {file}"]


def test_a_file_that_cannot_be_read_is_told_apart_from_a_missing_one(tmp_path: Path) -> None:
    """Here a folder stands in its place, which not even root can read."""
    (tmp_path / "secrets.yaml").mkdir()
    found = mistake(TEXT, tmp_path)

    assert found == f"{tmp_path / 'secrets.yaml'}:1:1: cannot be read: Is a directory"


def test_a_file_of_someone_else_is_told_apart_too(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The usual reason: sudo wrote it."""
    file = write(tmp_path, "name: x\n", mode=0)
    secrets = Secrets(tmp_path)
    request.getfixturevalue("not_root")
    with pytest.raises(Unresolved):
        secrets.resolve("!secret", "name")

    assert list(map(str, secrets.mistakes)) == [f"{file}:1:1: cannot be read: Permission denied"]


def test_systemd_hands_over_a_file_of_root(
    public_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """What only root may read the service has as a credential, as it was at the start."""
    write(public_path, "name: from the file\n", mode=0)
    folder = public_path / "credentials"
    folder.mkdir(mode=0o755)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    copy = folder / "secrets.yaml"
    copy.write_text("name: handed over\n")  # of mode 0440 with an access list, in systemd 252
    copy.chmod(0o644)
    request.getfixturevalue("not_root")
    secrets = Secrets(public_path)

    assert secrets.resolve("!secret", "name") == "handed over"
    with pytest.raises(Unresolved, match=r"has no secret nam .*name.*restart the service"):
        secrets.resolve("!secret", "nam")


def test_a_file_of_ours_goes_before_its_copy(tmp_path: Path, credentials: Path) -> None:
    """So that a reload sees what changed in it."""
    write(tmp_path, "name: from the file\n")
    (credentials / "secrets.yaml").write_text("name: handed over\n")

    assert loads(TEXT, folder=tmp_path).device == "from the file"


def test_a_sealed_file_that_changed_is_noticed(
    public_path: Path, request: pytest.FixtureRequest
) -> None:
    """Only where we cannot read it ourselves; what we can read a reload reads again."""
    public_path.chmod(0o777)
    file = write(public_path, "name: x\n")
    ours = [sealed(public_path)]
    file.write_text("name: other\n")
    ours.append(sealed(public_path))
    file.chmod(0)
    request.getfixturevalue("not_root")
    theirs = [sealed(public_path), sealed(public_path)]
    (public_path / "new").touch(mode=0)
    (public_path / "new").rename(file)
    theirs.append(sealed(public_path))

    assert ours == [False, False]
    assert theirs[0] == theirs[1] != theirs[2]
    assert all(theirs)
    assert sealed(public_path / "nowhere") is None


def test_a_pipe_is_no_secrets_file(tmp_path: Path) -> None:
    """Nobody is waited for."""
    os.mkfifo(tmp_path / "secrets.yaml", 0o600)

    assert "it is a pipe or a device" in mistake(TEXT, tmp_path)


def test_a_credential_that_cannot_be_read_is_told(tmp_path: Path, credentials: Path) -> None:
    """The file is not asked in its place: that could be an older secret."""
    write(tmp_path, "name: from the file\n")
    (credentials / "name").mkdir()
    unreadable = mistake(TEXT, tmp_path)
    (credentials / "name").rmdir()
    (credentials / "name").write_bytes(b"\xff")
    no_text = mistake(TEXT, tmp_path)

    assert unreadable == ("2:9: device: the systemd credential name cannot be read: Is a directory")
    assert no_text == "2:9: device: the systemd credential name is not UTF-8 text"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: 12\n", "1:7: name: expected text: put it in quotes"),
        ("name: on\n", "1:7: name: expected text: put it in quotes"),
        ("- name\n", "1:1: expected a mapping, as in initialstate: my-access-key"),
        ("", "1:1: the file is empty"),
        ("name: @x\n", "1:7: text that starts with this character must be in quotes"),
        ("name: !env X\n", "1:7: name: a secrets file holds the text itself, not !env"),
        ("name: a\nname: b\n", "2:1: name: is here twice (first on line 1)"),
    ],
)
def test_a_mistake_in_the_secrets_file_has_its_place_there(
    tmp_path: Path, text: str, said: str
) -> None:
    """And is told once, not again where the secret is used."""
    file = write(tmp_path, text)

    assert mistake(TEXT, tmp_path) == f"{file}:{said}"


def test_a_mistake_in_the_secrets_file_hides_no_missing_secret(tmp_path: Path) -> None:
    """Those of the config come first."""
    file = write(tmp_path, "other: 12\n")

    assert mistakes(TEXT, tmp_path) == [
        f"2:9: device: {file} has no secret name",
        f"{file}:1:8: other: expected text: put it in quotes",
    ]


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("!env NO_SUCH_THING_HERE", "the environment variable NO_SUCH_THING_HERE is not set"),
        ("!env EMPTY", "!env EMPTY is empty"),
        ("!env HALF", "text cannot hold half a surrogate pair"),
        ("!secret ../name", "!secret needs a name of letters, digits, _, - and dots"),
        ("!secret ''", "!secret needs a name of letters, digits, _, - and dots"),
        ("!env", "!env needs a name of letters, digits, _, - and dots"),
    ],
)
def test_a_tag_that_gives_no_text_says_why(
    monkeypatch: pytest.MonkeyPatch, tag: str, said: str
) -> None:
    """At its place in the config."""
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setitem(os.environ, "HALF", "\udcff")
    found = mistake(TEXT.replace("!secret name", tag))

    assert found.startswith(f"2:9: device: {said}")


SECRET = "hunter2 'hunter2' \\"


@pytest.mark.fault(91)
@pytest.mark.parametrize(
    "text",
    [
        "sensors: {a: {driver: !secret name}}",
        "sensors: {a: {driver: bme280, address: !secret name}}",
        "sensors: {a: {driver: bme280, every: !secret name}}",
        "sensors: {a: {driver: simulated, shape: !secret name}}",
        "sensors: {a: {driver: command, run: !secret name, gives: {}}}",
        "sensors: {a: {driver: bme280}}\ndestinations: [{type: !secret name}]",
        "sensors: {a: {driver: bme280}}\nclock: {trust: !secret name}",
        "sensors: {a: {driver: bme280}}\nclock: !secret name",
        "sensors: {a: {driver: bme280}}\ndriver_dirs: [!secret name]",
        "sensors: {a: {driver: bme280}}\n!secret name: 1",
        "sensors: {a: {driver: bme280}}\ndevice: !secret nam",
        "sensors: {a: {driver: fussy, key: !secret name}}\ndriver_dirs: ['.']",
    ],
)
def test_a_secret_is_in_no_message_and_no_traceback(tmp_path: Path, text: str) -> None:
    """Not even in the words of a driver that quotes what it was given."""
    write(tmp_path, f"name: {SECRET}\n")
    (tmp_path / "fussy.py").write_text(
        "class Fussy:\n"
        "    def __init__(self, key: str): raise ValueError(f'{key} or {key!r} opens nothing')\n"
        "    def read(self) -> dict: ...\n"
    )
    with pytest.raises(ConfigError) as caught:
        loads(text, folder=tmp_path)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
