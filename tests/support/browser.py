"""Headless Chromium, driven through its DevTools protocol; no package beyond what is installed anyway."""

from __future__ import annotations

import asyncio
import base64
import itertools
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.serving import wait_until

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *("--disable-dev-shm-usage", "--remote-debugging-port=0", "about:blank"),
)
_PORT_FILE = "DevToolsActivePort"


class Browser:
    """One page of a browser that ends with it."""

    def __init__(self) -> None:
        assert CHROMIUM
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        command = [CHROMIUM, f"--user-data-dir={self._profile.name}", *_SWITCHES]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.events: list[dict[str, Any]] = []
        port_file = Path(self._profile.name) / _PORT_FILE
        wait_until(lambda: port_file.is_file() and len(port_file.read_text().split()) > 1)
        self._do(self._connect(int(port_file.read_text().split()[0])))
        for domain in ("Page", "Runtime", "DOM", "Log", "Network"):
            self.send(f"{domain}.enable")

    def close(self) -> None:
        self._do(self._session.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._process.kill()
        self._process.wait()
        self._profile.cleanup()

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command of the protocol."""
        return self._do(self._send(method, parameters))  # type: ignore[no-any-return]

    def open(self, url: str, width: int = 1280, height: int = 900, dark: bool = False, touch: bool = False) -> None:
        """Loads a page, on a screen of the size that is given."""
        self.events.clear()
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        self.send("Emulation.setTouchEmulationEnabled", enabled=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url=url)
        wait_until(lambda: any(event["method"] == "Page.loadEventFired" for event in self.events))

    def run(self, script: str, frame: str | None = None) -> Any:
        """The value of a JavaScript expression; of a promise, what it is kept with; in a `frame` if one is given."""
        command = {"expression": script, "returnByValue": True, "awaitPromise": True}
        answer = self._do(self._send("Runtime.evaluate", command, frame))
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def frame(self) -> str:
        """The frame of the page that has an origin of its own, for `run`; its errors are among the complaints."""
        frames = [each for each in self.send("Target.getTargets")["targetInfos"] if each["type"] == "iframe"]
        [target] = frames
        session = str(self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"])
        for domain in ("Runtime", "Log", "Network"):
            self._do(self._send(f"{domain}.enable", {}, session))
        return session

    def text(self, selector: str) -> str:
        """The visible text of an element."""
        return self.run(f"document.querySelector({selector!r}).innerText")  # type: ignore[no-any-return]

    def shows(self, selector: str) -> bool:
        """Whether an element takes room."""
        return bool(self.run(f"(document.querySelector({selector!r})?.getClientRects().length ?? 0) > 0"))

    def choose_file(self, selector: str, path: Path) -> None:
        """Puts a file into an input, as the dialogue of the system would."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def press(self, key: str) -> None:
        """A key, such as Tab, Space or ArrowLeft."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "Space": 32, "ArrowLeft": 37, "ArrowRight": 39}
        name = " " if key == "Space" else key
        text = {"Enter": "\r", "Space": " "}.get(key)
        common = {"key": name, "code": key, "windowsVirtualKeyCode": codes[key]}
        self.send("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def picture(self, whole: bool = True) -> bytes:
        """What is seen, as PNG; also below the screen's edge if `whole`."""
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(shot["data"])

    def complaints(self) -> list[str]:
        """Errors in the console: exceptions, and what a policy has stopped."""
        thrown = [event for event in self.events if event["method"] == "Runtime.exceptionThrown"]
        entries = [event["params"]["entry"] for event in self.events if event["method"] == "Log.entryAdded"]
        told = [f"{entry['text']} {entry.get('url', '')}" for entry in entries if entry["level"] == "error"]
        return [str(event["params"]) for event in thrown] + told

    def requested(self) -> list[str]:
        """The addresses that were asked for."""
        asked = [event for event in self.events if event["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in asked]

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _connect(self, port: int) -> None:
        self._session = aiohttp.ClientSession()
        async with self._session.get(f"http://127.0.0.1:{port}/json/list") as response:
            targets = await response.json()
        page = next(target for target in targets if target["type"] == "page")
        self._socket = await self._session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0)
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for message in self._socket:
            document = message.json()
            if "id" in document:
                self._answers.pop(document["id"]).set_result(document)
            else:
                self.events.append(document)

    async def _send(self, method: str, parameters: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        answer = self._answers[number]
        whom = {} if session is None else {"sessionId": session}
        await self._socket.send_json({"id": number, "method": method, "params": parameters, **whom})
        document = await asyncio.wait_for(answer, 50)
        assert "error" not in document, (method, document["error"])
        return document["result"]  # type: ignore[no-any-return]
