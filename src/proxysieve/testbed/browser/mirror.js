const PATIENCE_MS = 3000;

// What a browser does not tell, or not in time, is null.
async function inTime(tell) {
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, null));
  return Promise.race([tell().catch(() => null), late]);
}

function part(name) {
  return `/mirror/${name}?visit=${VISIT}`;
}

function askWorker() {
  return new Promise((resolve, reject) => {
    const worker = new Worker(part("worker.js"));
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = reject;
  });
}

async function askFrame() {
  const frame = document.createElement("iframe");
  await new Promise((resolve) => {
    frame.onload = resolve;
    frame.src = part("frame");
    document.body.append(frame);
  });
  return frame.contentWindow.look();
}

async function countInStorage() {
  const before = Number(localStorage.getItem("mirror"));
  localStorage.setItem("mirror", before + 1);
  return before;
}

function countInDatabase() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("mirror");
    opening.onerror = reject;
    opening.onupgradeneeded = () => opening.result.createObjectStore("visits");
    opening.onsuccess = () => {
      const change = opening.result.transaction("visits", "readwrite");
      const visits = change.objectStore("visits");
      const reading = visits.get("count");
      reading.onsuccess = () => visits.put((reading.result ?? 0) + 1, "count");
      change.oncomplete = () => resolve(reading.result ?? 0);
      change.onerror = reject;
    };
  });
}

async function countInCookie() {
  const before = Number(document.cookie.match(/(?:^|; )mirror_script=(\d+)/)?.[1] ?? 0);
  document.cookie = `mirror_script=${before + 1}; Path=/; Max-Age=31536000; SameSite=Lax`;
  return document.cookie.includes("mirror_script=") ? before : null;
}

// A browser that cannot reach the server goes on asking it: what was found by then counts.
async function gatherCandidates() {
  if (typeof RTCPeerConnection === "undefined") return null;
  const connection = new RTCPeerConnection({ iceServers: [{ urls: STUN }] });
  const found = [];
  const isOver = new Promise((resolve) => {
    connection.onicecandidate = ({ candidate }) => (candidate ? found.push(candidate.candidate) : resolve());
  });
  connection.createDataChannel("mirror");
  await connection.setLocalDescription();
  await inTime(() => isOver);
  connection.close();
  return found.filter((candidate) => candidate !== "");
}

function loadImage() {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = resolve;
    image.onerror = reject;
    image.src = part("image.svg");
  });
}

function sendXhr() {
  return new Promise((resolve) => {
    const xhr = new XMLHttpRequest();
    xhr.onloadend = resolve;
    xhr.open("GET", part("xhr"));
    xhr.send();
  });
}

async function lookAround() {
  const [page, worker, frame, local_storage, indexed_db, script_cookie, ice_candidates] = await Promise.all([
    look(),
    ...[askWorker, askFrame, countInStorage, countInDatabase, countInCookie].map(inTime),
    gatherCandidates(),
    ...[loadImage, sendXhr, () => fetch(part("fetch"))].map(inTime),
  ]);
  return {
    page,
    worker,
    frame,
    screen: {
      width: screen.width,
      height: screen.height,
      avail_width: screen.availWidth,
      avail_height: screen.availHeight,
      color_depth: screen.colorDepth,
    },
    window: {
      inner_width: innerWidth,
      inner_height: innerHeight,
      outer_width: outerWidth,
      outer_height: outerHeight,
      screen_x: screenX,
      screen_y: screenY,
      device_pixel_ratio: devicePixelRatio,
    },
    max_touch_points: navigator.maxTouchPoints,
    plugin_count: navigator.plugins.length,
    has_chrome: typeof window.chrome === "object",
    visits: { local_storage, indexed_db, script_cookie },
    ice_candidates,
  };
}

// The title says when it is over, well or not.
(async () => {
  try {
    const seen = await lookAround();
    document.querySelector("#seen").textContent = JSON.stringify(seen, null, 2);
    const told = await fetch(part("seen"), { method: "POST", body: JSON.stringify(seen) });
    document.title = told.ok ? "done" : `failed: ${await told.text()}`;
  } catch (error) {
    document.title = `failed: ${error}`;
  }
})();
