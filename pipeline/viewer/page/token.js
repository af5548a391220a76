// The token: from the fragment of the address, which no server ever sees, or from the reader.

import { byId, write } from "./element.js";

const KEPT = "maskstream-token";

/** The token of this tab; taken out of the address, so that it is not copied along with it. */
export function token() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (fragment.has("token")) {
    sessionStorage.setItem(KEPT, fragment.get("token"));
    fragment.delete("token");
    history.replaceState(null, "", `${location.pathname}#${fragment}`);
  }
  return sessionStorage.getItem(KEPT) ?? "";
}

/** Ask for it; resolves when there is another one. */
export function askForToken() {
  const dialog = byId("door");
  if (token()) write(byId("door-why"), "That was not the token. It stands in the line that run_stream.py view printed.");
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      sessionStorage.setItem(KEPT, byId("token").value.trim());
      byId("token").value = "";
      resolve();
    };
  });
}
