// Send dropped or chosen files to the server of this page, which reads them and keeps none.
"use strict";
(() => {
  const box = document.querySelector(".drop");
  const input = box.querySelector("input");
  const status = box.querySelector("[role=status]");
  const limit = Number(box.dataset.limit);

  const say = (text, failed) => {
    status.textContent = text;
    status.classList.toggle("failed", failed);
  };

  const send = async (files) => {
    if (!files.length) return;
    const size = files.reduce((sum, file) => sum + file.size, 0);
    if (size > limit) {
      say(`These files hold ${Math.ceil(size / 2 ** 20)} MiB; at most ${limit / 2 ** 20} MiB are read at once.`, true);
      return;
    }
    say("Reading ...", false);
    const list = encodeURIComponent(JSON.stringify(files.map((file) => [file.name, file.size])));
    try {
      const answer = await fetch("drop", { method: "POST", headers: { "X-Files": list }, body: new Blob(files) });
      if (answer.ok) {
        location.hash = "dropped";
        location.reload();
      } else say(await answer.text(), true);
    } catch (error) {
      say("The server does not answer; was it ended?", true);
    }
  };

  input.addEventListener("change", () => send([...input.files]));
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      box.classList.toggle("over", name === "dragover");
      if (name === "drop") send([...event.dataTransfer.files]);
    });
  }
})();
