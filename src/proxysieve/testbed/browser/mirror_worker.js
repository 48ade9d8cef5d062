importScripts("/mirror/look.js");
look().then(postMessage);
