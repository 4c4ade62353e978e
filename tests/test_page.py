"""The hub's page, in a real browser: headless Chromium, driven over its debugging pipe."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
import requests

from pilogger.hub import Account, Accounts, Hub

CHROMIUM = shutil.which("chromium")
PATIENCE_S = 20.0  # for a slow machine; nothing waits that long unless it fails

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs a browser: sudo apt install chromium"
)


class Browser:
    """One tab of headless Chromium.

    It speaks the DevTools protocol on file descriptors 3 and 4: JSON, each message ended
    by a NUL.
    """

    def __init__(self, profile: Path) -> None:
        self._process = subprocess.Popen(
            [
                "/bin/sh", "-c", 'exec "$@" 3<&0 4>&1 </dev/null >/dev/null', "sh",
                str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu",
                "--disable-dev-shm-usage", "--disable-background-networking", "--lang=en-US",
                "--no-first-run", f"--user-data-dir={profile}", "--remote-debugging-pipe",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )  # fmt: skip
        assert self._process.stdin
        assert self._process.stdout
        self._in, self._out = self._process.stdin, self._process.stdout
        self._buffer = b""
        self._number = 0
        self._session: dict[str, str] = {}
        self.requested: list[str] = []
        """The address of everything that the tab asked for."""
        self.complaints: list[str] = []
        """Errors that the page wrote or threw."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Network", "Runtime", "Page"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: object) -> dict[str, Any]:
        """Call a method of the protocol and return its result; note events meanwhile."""
        self._number += 1
        call = {"id": self._number, "method": method, "params": params, **self._session}
        self._in.write(json.dumps(call).encode() + b"\0")
        while (message := self._receive()).get("id") != self._number:
            self._note(message)
        assert "result" in message, message
        return dict(message["result"])

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            chunk = self._out.read(1 << 16)
            assert chunk, "the browser is gone"
            self._buffer += chunk
        message, self._buffer = self._buffer.split(b"\0", 1)
        return dict(json.loads(message))

    def _note(self, message: dict[str, Any]) -> None:
        params = message["params"]
        if message["method"] == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])
        if message["method"] == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))

    def open(self, url: str, width: int = 1280) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=800, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        self.send("Page.navigate", url=url)

    def evaluate(self, script: str) -> Any:
        """Evaluate JavaScript in the page."""
        done = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        return done["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """Evaluate until it gives something true, and return that."""
        end = time.monotonic() + PATIENCE_S
        while not (found := self.evaluate(script)):
            assert time.monotonic() < end, f"{script} stayed {found!r}"
            time.sleep(0.02)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._in.close()  # without its pipe it ends
        self._process.wait(timeout=PATIENCE_S)
        self._out.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
        yield hub


def post(hub: Hub, *events: dict[str, object], key: str = "any") -> None:
    headers = {"X-IS-AccessKey": key, "X-IS-BucketKey": "greenhouse"}
    answer = requests.post(f"{hub.url}/api/events", json=events, headers=headers, timeout=10)
    assert answer.status_code == 204, answer.text


def numbers(count: int) -> list[dict[str, object]]:
    return [
        {"key": "air.temperature", "value": 21 + number / 10, "epoch": 1795217624 + number}
        for number in range(count)
    ]


def text_of(selector: str) -> str:
    return f"document.querySelector('{selector}')?.textContent"


DRAWN = """
(() => {
    const canvas = document.querySelector('.chart canvas');
    const pixels = canvas?.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    const accent = [13, 148, 136];
    const isLine = (at) => accent.every((part, i) => Math.abs(pixels[at + i] - part) < 8);
    let line = 0;
    for (let at = 0; at < (pixels?.length ?? 0); at += 4) line += pixels[at + 3] && isLine(at);
    return line;
})()
"""


def test_a_series_shows_its_latest_value_and_a_chart(browser: Browser, hub: Hub) -> None:
    """The card of a series has its key, the value with the latest epoch, and a drawn line."""
    requests.post(
        f"{hub.url}/api/buckets",
        json={"bucketKey": "greenhouse", "bucketName": "The Greenhouse"},
        timeout=10,
    )
    post(hub, *reversed(numbers(50)))
    browser.open(hub.url)
    browser.wait_for(f"{text_of('.value')} === '25.9'")

    assert browser.evaluate(text_of("h3")) == "air.temperature"
    assert browser.evaluate(text_of(".bucket h2")) == "The Greenhouse"
    assert browser.evaluate(text_of("#state")) == "live"
    assert browser.wait_for(DRAWN) > 100


def test_a_new_reading_appears_by_itself(browser: Browser, hub: Hub) -> None:
    """An empty hub says how to send; a reading then shows up without a reload."""
    browser.open(hub.url)
    browser.wait_for("document.querySelector('#empty')?.hidden === false")
    assert f"{hub.url}/api/events" in browser.evaluate(text_of("#example"))
    post(hub, *numbers(1))

    browser.wait_for(f"{text_of('.value')} === '21'")
    assert browser.evaluate("document.querySelector('#empty').hidden")


def test_the_pointer_tells_the_value_beneath_it(browser: Browser, hub: Hub) -> None:
    """Every chart tells its value at that moment; without the pointer, the latest again."""
    post(hub, *numbers(51), *({**event, "key": "twin"} for event in numbers(51)))
    browser.open(hub.url)
    browser.wait_for(DRAWN)
    left, top, width, height = browser.evaluate(
        "(({left, top, width, height}) => [left, top, width, height])"
        "(document.querySelector('.u-over').getBoundingClientRect())"
    )
    move = {"type": "mouseMoved", "x": left + width / 2, "y": top + height / 2}
    browser.send("Input.dispatchMouseEvent", **move)
    values = "[...document.querySelectorAll('.value')].map((one) => one.textContent).join()"
    browser.wait_for(f"{values} === '23.5,23.5'")

    browser.send("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    browser.wait_for(f"{values} === '26.0,26.0'")


def test_truth_values_and_text_have_no_chart(browser: Browser, hub: Hub) -> None:
    """They are shown as values."""
    post(hub, {"key": "door", "value": True}, {"key": "state", "value": "running"})
    browser.open(hub.url)
    browser.wait_for("document.querySelectorAll('.card').length === 2")

    values = "[...document.querySelectorAll('.value')].map((one) => one.textContent)"
    assert browser.evaluate(values) == ["true", "running"]
    assert browser.evaluate("document.querySelectorAll('canvas').length") == 0


def test_a_phone_needs_no_sideways_scrolling(browser: Browser, hub: Hub) -> None:
    """At 360 pixels the page is as wide as the screen, long words and numbers included."""
    post(hub, *numbers(50))
    post(hub, {"key": "k" * 250, "value": "v" * 2000}, {"key": "big", "value": 2**63 - 1})
    browser.open(hub.url, width=360)
    browser.wait_for("document.querySelectorAll('.card').length === 3")

    assert browser.evaluate("innerWidth") == 360
    assert browser.evaluate("document.documentElement.scrollWidth") == 360


def test_a_key_is_text_whatever_it_looks_like(browser: Browser, hub: Hub) -> None:
    """Markup in a key, a value or a bucket's name is shown, not obeyed."""
    evil = "<img src=x onerror=\"document.title='owned'\">"
    requests.post(
        f"{hub.url}/api/buckets",
        json={"bucketKey": "greenhouse", "bucketName": evil},
        timeout=10,
    )
    post(hub, {"key": evil, "value": evil})
    browser.open(hub.url)
    browser.wait_for(text_of("h3"))

    for place in ("h3", ".value", ".bucket h2"):
        assert browser.evaluate(text_of(place)) == evil
    assert browser.evaluate("document.querySelectorAll('main img').length") == 0
    assert browser.evaluate("document.title") == "pilogger"


def test_nothing_is_loaded_from_elsewhere(browser: Browser, hub: Hub) -> None:
    """Every request of the page goes to the hub itself, and no script fails."""
    post(hub, *numbers(50))
    browser.requested.clear()
    browser.complaints.clear()
    browser.open(hub.url)
    browser.wait_for(DRAWN)

    asked = {urlsplit(url)._replace(query="").geturl() for url in browser.requested}
    assert f"{hub.url}/vendor/uPlot.iife.min.js" in asked
    assert f"{hub.url}/api/live" in asked
    assert [url for url in asked if not url.startswith(f"{hub.url}/")] == []
    assert browser.complaints == []


def test_a_lost_connection_is_said_and_mended(browser: Browser, tmp_path: Path) -> None:
    """While the hub is down the page keeps its values and says so; then it goes on."""
    with Hub("127.0.0.1", 0, tmp_path / "hub.db") as hub:
        post(hub, *numbers(1))
        browser.open(hub.url)
        browser.wait_for(text_of(".value"))
    browser.wait_for(f"{text_of('#state')}.startsWith('connection lost')")
    assert browser.evaluate(text_of(".value")) == "21"

    with Hub(*hub.address, tmp_path / "hub.db") as hub:
        post(hub, *numbers(2))
        browser.wait_for(f"{text_of('.value')} === '21.1'")
        assert browser.evaluate(text_of("#state")) == "live"


def test_an_account_is_asked_for_its_key(browser: Browser, tmp_path: Path) -> None:
    """With an account the page shows nothing until it was given the right key and secret."""
    accounts = Accounts([Account("", "right", "too")])
    with Hub("127.0.0.1", 0, tmp_path / "hub.db", accounts) as hub:
        post(hub, *numbers(1), key="right")
        browser.open(hub.url)
        browser.wait_for("document.querySelector('#door')?.hidden === false")
        assert browser.evaluate("document.querySelectorAll('.card').length") == 0

        enter = (
            "document.querySelector('#key').value = '{}';"
            "document.querySelector('#secret').value = '{}';"
            "document.querySelector('button').click()"
        )
        browser.evaluate(enter.format("\u20ac", ""))
        browser.wait_for(f"{text_of('#refusal')} === 'The hub says: the access key is wrong.'")
        browser.evaluate(enter.format("right", ""))
        browser.wait_for(f"{text_of('#refusal')} === 'The hub says: the secret is missing.'")
        browser.evaluate(enter.format("right", "too"))
        browser.wait_for(f"{text_of('.value')} === '21'")
        assert browser.evaluate("document.querySelector('#door').hidden")
