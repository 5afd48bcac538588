// Zoom and calipers on ECG paper: 25 mm are a second, 10 mm are a millivolt.
"use strict";
(() => {
  const MM_PER_PIXEL = 25.4 / 96; // of an image in its natural size, which is true to scale
  const LEVELS = [1, 1.5, 2, 3, 4, 6, 8];

  const element = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  const start = (paper) => {
    const stage = paper.querySelector(".stage");
    const image = stage.querySelector("img");
    const result = element("output", {});
    const tools = element("div", { className: "tools" });
    tools.setAttribute("role", "toolbar");
    tools.setAttribute("aria-label", "ECG paper");
    let level = 0;
    let ends = null; // two points in millimetres
    let marks = null;

    const scale = () => image.clientWidth / (image.naturalWidth * MM_PER_PIXEL); // CSS pixels per millimetre

    const button = (text, label, act) => {
      const made = element("button", { type: "button", textContent: text, title: label });
      made.setAttribute("aria-label", label);
      made.addEventListener("click", act);
      tools.append(made);
      return made;
    };

    const zoom = (to) => {
      const middle = (paper.scrollLeft + paper.clientWidth / 2) / stage.clientWidth;
      level = Math.max(0, Math.min(LEVELS.length - 1, to));
      stage.style.width = `${100 * LEVELS[level]}%`;
      paper.scrollLeft = middle * stage.clientWidth - paper.clientWidth / 2;
      draw();
    };

    const read = () => {
      const milliseconds = (Math.abs(ends[1].x - ends[0].x) / 25) * 1000;
      const millivolt = (ends[0].y - ends[1].y) / 10;
      const rate = milliseconds >= 150 ? `, ${Math.round(60000 / milliseconds)}/min` : "";
      result.textContent = `${Math.round(milliseconds)} ms, ${millivolt.toFixed(2).replace("-0.00", "0.00")} mV${rate}`;
    };

    const draw = () => {
      if (!ends) return;
      const by = scale();
      const [one, other] = ends;
      Object.assign(marks.box.style, {
        left: `${Math.min(one.x, other.x) * by}px`,
        top: `${Math.min(one.y, other.y) * by}px`,
        width: `${Math.abs(one.x - other.x) * by}px`,
        height: `${Math.abs(one.y - other.y) * by}px`,
      });
      marks.handles.forEach((handle, place) => {
        handle.style.left = `${ends[place].x * by}px`;
        handle.style.top = `${ends[place].y * by}px`;
      });
      read();
    };

    const bounded = (point) => ({
      x: Math.max(0, Math.min(image.clientWidth / scale(), point.x)),
      y: Math.max(0, Math.min(image.clientHeight / scale(), point.y)),
    });

    const place = (first, second) => {
      ends = [bounded(first), bounded(second)];
      if (!marks) {
        marks = { box: element("div", { className: "caliper" }), handles: [0, 1].map(handle) };
        stage.append(marks.box, ...marks.handles);
      }
      draw();
    };

    const clear = () => {
      if (marks) [marks.box, ...marks.handles].forEach((mark) => mark.remove());
      ends = marks = null;
      result.textContent = "";
    };

    const point = (event) => {
      const box = image.getBoundingClientRect();
      return { x: (event.clientX - box.left) / scale(), y: (event.clientY - box.top) / scale() };
    };

    // Follow a pointer from its press to its release.
    const follow = (event, act) => {
      event.preventDefault();
      const target = event.currentTarget;
      target.setPointerCapture(event.pointerId);
      const move = (next) => act(point(next));
      const end = () => target.removeEventListener("pointermove", move);
      target.addEventListener("pointermove", move);
      target.addEventListener("pointerup", end, { once: true });
      target.addEventListener("pointercancel", end, { once: true });
    };

    const change = (which, to) => place(which === 0 ? to : ends[0], which === 1 ? to : ends[1]);

    const handle = (which) => {
      const made = element("button", { type: "button", className: "handle" });
      made.setAttribute("aria-label", `${which ? "Second" : "First"} point of the calipers: arrow keys move it`);
      made.addEventListener("pointerdown", (event) => {
        event.stopPropagation();
        made.focus();
        follow(event, (to) => change(which, to));
      });
      made.addEventListener("keydown", (event) => {
        const step = event.shiftKey ? 5 : 0.25; // 200 ms and 0.5 mV, or 10 ms and 0.025 mV
        const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
        if (!by) return;
        event.preventDefault();
        event.stopPropagation();
        change(which, { x: ends[which].x + by[0] * step, y: ends[which].y + by[1] * step });
      });
      return made;
    };

    const middle = () => {
      const by = scale();
      const x = (paper.scrollLeft + paper.clientWidth / 2) / by;
      const y = (paper.scrollTop + paper.clientHeight / 2) / by;
      place({ x: x - 12.5, y: y + 5 }, { x: x + 12.5, y: y - 5 });
      marks.handles[0].focus();
    };

    button("+", "Zoom in", () => zoom(level + 1));
    button("−", "Zoom out", () => zoom(level - 1));
    button("Fit", "Fit the width", () => zoom(0));
    const drag = button("Drag to measure", "Drag on the paper to measure", () => measure(!measuring()));
    button("Place calipers", "Place calipers in the middle, for the arrow keys", middle);
    button("Clear", "Remove the calipers", clear);
    tools.append(result);
    paper.before(tools);

    const measuring = () => paper.classList.contains("measuring");
    const measure = (wanted) => {
      paper.classList.toggle("measuring", wanted);
      drag.setAttribute("aria-pressed", String(wanted));
    };
    measure(window.matchMedia("(pointer: fine)").matches);

    stage.addEventListener("pointerdown", (event) => {
      if (!measuring() || event.button !== 0) return;
      const from = point(event);
      follow(event, (to) => place(from, to));
    });
    paper.addEventListener("keydown", (event) => {
      const act = { "+": () => zoom(level + 1), "-": () => zoom(level - 1), 0: () => zoom(0), Escape: clear }[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
    window.addEventListener("resize", draw);
  };

  document.querySelectorAll(".paper").forEach(start);
  document.addEventListener("keydown", (event) => {
    const free = event.target === document.body && !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey;
    const rel = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
    const link = free && rel ? document.querySelector(`nav a[rel="${rel}"]`) : null;
    if (link) link.click();
  });
})();
