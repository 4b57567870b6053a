// Shows the examples large: layers, zoom, previous and next.  Without it the page shows the same images, small.
"use strict";
(() => {
  const dialog = document.getElementById("viewer");
  const examples = [...document.querySelectorAll("article.picture[id]")];
  if (!dialog?.showModal || !examples.length) return;
  const part = (selector) => dialog.querySelector(selector);
  const stage = part(".viewer-stage"), canvas = part(".viewer-canvas"), about = part(".viewer-about");
  const opacity = part("input[type=range]"), layers = [...canvas.querySelectorAll("img")];
  const view = { place: -1, width: 1, height: 1, scale: 1, x: 0, y: 0 };
  const fingers = new Map();

  // The address follows, where the frame lets it: that of Kubeflow's page does not.
  function setAddress(hash) {
    try {
      history.replaceState(null, "", hash || location.pathname + location.search);
    } catch (error) {
      if (error.name !== "SecurityError") throw error;
    }
  }

  const placeOf = (hash) => examples.findIndex((each) => `#${each.id}` === hash);
  const fitting = () => Math.min(stage.clientWidth / view.width, stage.clientHeight / view.height);

  function draw() {
    // The middle of the stage stays on the image.
    const width = view.width * view.scale, height = view.height * view.scale;
    view.x = Math.min(stage.clientWidth / 2, Math.max(stage.clientWidth / 2 - width, view.x));
    view.y = Math.min(stage.clientHeight / 2, Math.max(stage.clientHeight / 2 - height, view.y));
    canvas.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
    part("output").textContent = `${Math.round(view.scale * 100)} %`;
  }

  function fit() {
    view.scale = fitting();
    view.x = (stage.clientWidth - view.width * view.scale) / 2;
    view.y = (stage.clientHeight - view.height * view.scale) / 2;
    draw();
  }

  // The point of the image at (x, y) of the stage stays there.
  function zoom(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
    const least = Math.min(fitting(), 1) / 2;
    const scale = Math.min(40, Math.max(least, view.scale * factor));
    view.x = x - ((x - view.x) * scale) / view.scale;
    view.y = y - ((y - view.y) * scale) / view.scale;
    view.scale = scale;
    draw();
  }

  function move(x, y) {
    view.x += x;
    view.y += y;
    draw();
  }

  function setLayers() {
    for (const layer of layers) {
      layer.hidden = !part(`input[value=${layer.dataset.layer}]`).checked;
      layer.style.opacity = layer.classList.contains("mask") ? opacity.value / 100 : 1;
    }
  }

  function show(place) {
    const example = examples[place];
    const number = example.id.replace("example-", "");
    view.place = place;
    for (const layer of layers) {
      const stored = document.getElementById(`${layer.dataset.layer}-${number}`);
      layer.src = stored.getAttribute("href");
      layer.alt = `${layer.dataset.label} of ${example.dataset.name}`;
      view.width = Number(stored.getAttribute("width"));
      view.height = Number(stored.getAttribute("height"));
      layer.width = view.width;
      layer.height = view.height;
    }
    part("h2").textContent = example.dataset.name;
    part("[role=status]").textContent = `${place + 1} of ${examples.length}`;
    about.replaceChildren(...[...example.querySelector(".about").cloneNode(true).children].filter((each) => !each.matches(".id")));
    setLayers();
    setAddress(`#${example.id}`);
    if (!dialog.open) {
      dialog.showModal();
      stage.focus();
    }
    fit();
  }

  const step = (by) => show((view.place + by + examples.length) % examples.length);

  function toggle(layer) {
    const input = dialog.querySelectorAll("input[type=checkbox]")[layer];
    input.checked = !input.checked;
    setLayers();
  }

  const actions = {
    previous: () => step(-1),
    next: () => step(1),
    larger: () => zoom(1.4),
    smaller: () => zoom(1 / 1.4),
    fit,
    close: () => dialog.close(),
  };
  const keys = {
    ArrowLeft: (shift) => (shift ? move(60, 0) : step(-1)),
    ArrowRight: (shift) => (shift ? move(-60, 0) : step(1)),
    ArrowUp: () => move(0, 60),
    ArrowDown: () => move(0, -60),
    "+": actions.larger,
    "=": actions.larger,
    "-": actions.smaller,
    0: fit,
    1: () => toggle(0),
    2: () => toggle(1),
    3: () => toggle(2),
    4: () => toggle(3),
  };

  dialog.addEventListener("click", (event) => actions[event.target.closest("button")?.value]?.());
  dialog.addEventListener("input", setLayers);
  dialog.addEventListener("keydown", (event) => {
    const slides = event.target === opacity && event.key.startsWith("Arrow");
    if (slides || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key](event.shiftKey);
  });
  dialog.addEventListener("close", () => {
    const example = examples[view.place];
    if (placeOf(location.hash) >= 0) setAddress("");
    example.closest("details")?.setAttribute("open", "");
    example.scrollIntoView({ block: "nearest" });
    example.querySelector(".id a").focus({ preventScroll: true });
  });

  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
    const box = stage.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * lines * 0.002), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  stage.addEventListener("dblclick", () => (view.scale > fitting() * 1.01 ? fit() : zoom(3)));
  stage.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event);
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    fingers.set(event.pointerId, event);
    const other = [...fingers.values()].find((each) => each.pointerId !== event.pointerId);
    move((event.clientX - before.clientX) / fingers.size, (event.clientY - before.clientY) / fingers.size);
    if (!other) return;
    const spread = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const box = stage.getBoundingClientRect();
    zoom(spread(event) / Math.max(spread(before), 1), (event.clientX + other.clientX) / 2 - box.left, (event.clientY + other.clientY) / 2 - box.top);
  });
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => fingers.delete(event.pointerId));

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || dialog.contains(event.target)) return;
    const link = event.target.closest("a[href^='#example-']");
    const place = link ? placeOf(link.getAttribute("href")) : examples.indexOf(event.target.closest("article.picture figure")?.parentElement);
    if (place < 0) return;
    event.preventDefault();
    show(place);
  });
  document.documentElement.classList.add("with-viewer");

  function follow() {
    const place = placeOf(location.hash);
    if (place >= 0) show(place);
    else if (dialog.open) dialog.close();
  }
  addEventListener("hashchange", follow);
  addEventListener("resize", () => dialog.open && fit());
  follow();
})();

// Tables that are wider than the screen can be reached, and so scrolled, by keyboard.
(() => {
  function mark() {
    for (const box of document.querySelectorAll(".scroll")) {
      if (box.scrollWidth <= box.clientWidth) continue;
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "Wide content, scrolls sideways");
    }
  }
  addEventListener("resize", mark);
  mark();
})();

// Buttons that copy, where there is a clipboard; elsewhere a click selects the whole command.
(() => {
  if (!navigator.clipboard || !isSecureContext) return;
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = "Copied";
      } catch (error) {
        if (error.name !== "NotAllowedError") throw error;
        getSelection().selectAllChildren(text); // In a frame that may not.
        button.textContent = "Selected";
      }
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  }
})();
