// Shows how far an upload is. Without this script the browser shows it in its
// own way.
"use strict";

const form = document.getElementById("upload");
const bar = document.getElementById("progress");
if (form && bar) form.addEventListener("submit", (event) => {
  event.preventDefault();
  const send = new XMLHttpRequest();
  send.open("POST", form.action);
  send.upload.onprogress = (e) => {
    if (e.lengthComputable) bar.value = e.loaded / e.total;
  };
  // What the box answers is the page to go on with, or the one that says why not.
  send.onload = () => {
    if (send.status === 200 && new URL(send.responseURL).pathname === "/updates") {
      location.assign("/updates");
      return;
    }
    const page = new DOMParser().parseFromString(send.responseText, "text/html");
    document.getElementById("main").replaceWith(page.getElementById("main"));
  };
  send.onerror = () => form.submit();
  bar.hidden = false;
  form.querySelector("button").disabled = true;
  send.send(new FormData(form));
});
