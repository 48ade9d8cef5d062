// Written in pieces, so that no mark stands in the bytes of the page.
addEventListener("load", () => setTimeout(() => {
  document.documentElement.innerHTML = PIECES.join("");
}, 50));
