"use strict";
const screen_ = document.getElementById("screen"), state = document.getElementById("state");
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
let frame = "0", shown = "";
async function watch() {
  for (;;) {
    let wait = 40;
    try {
      const r = await fetch("frame?since=" + frame, { cache: "no-store" });
      if (r.status === 410) { state.textContent = "The desktop is gone."; return; }
      if (r.status === 200) {
        frame = r.headers.get("Deskhand-Frame");
        const next = URL.createObjectURL(await r.blob());
        screen_.src = next;
        await screen_.decode().catch(() => {});
        if (shown) URL.revokeObjectURL(shown);
        shown = next;
      } else if (r.status !== 204) {
        wait = 1000;
      }
      state.textContent = "Live. To look at only.";
    } catch {
      state.textContent = "The connection is lost; trying again …";
      wait = 1000;
    }
    await pause(wait);
  }
}
watch();
