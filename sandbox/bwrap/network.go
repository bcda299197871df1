package bwrap

import "encoding/json"

// local are the hosts that programs reach without the proxy: those inside.
const local = "localhost,127.0.0.1,::1"

// proxyEnv tells programs of the proxy in the ways in which they look for one:
// curl and git in lower case, others in capitals, Node from version 24 on when asked to.
func proxyEnv(address string) []string {
	if address == "" {
		return nil
	}
	proxy := "http://" + address
	return []string{
		"http_proxy=" + proxy, "https_proxy=" + proxy, "all_proxy=" + proxy, "no_proxy=" + local,
		"HTTP_PROXY=" + proxy, "HTTPS_PROXY=" + proxy, "ALL_PROXY=" + proxy, "NO_PROXY=" + local,
		"NODE_USE_ENV_PROXY=1",
	}
}

// policies are what browsers obey whatever their settings and flags say:
// nothing goes past the proxy, and nothing is said over UDP or to a resolver.
func (w *walls) policies(proxy string) {
	chromium := map[string]any{
		"QuicAllowed": false, "WebRtcIPHandling": "disable_non_proxied_udp", "DnsOverHttpsMode": "off",
		"BuiltInDnsClientEnabled": false, "NetworkPredictionOptions": 2, "BackgroundModeEnabled": false,
	}
	firefox := map[string]any{
		"DNSOverHTTPS": map[string]any{"Enabled": false, "Locked": true}, "NetworkPrediction": false, "CaptivePortal": false,
		"Preferences": map[string]any{
			"media.peerconnection.ice.proxy_only": locked(true), "network.http.http3.enable": locked(false), "network.dns.disablePrefetch": locked(true),
		},
	}
	if proxy != "" {
		chromium["ProxySettings"] = map[string]any{"ProxyMode": "fixed_servers", "ProxyServer": "http://" + proxy}
		firefox["Proxy"] = map[string]any{"Mode": "manual", "Locked": true, "HTTPProxy": proxy, "UseHTTPProxyForAllProtocols": true, "Passthrough": local}
	}
	for _, dir := range []string{"/etc/chromium", "/etc/opt/chrome", "/etc/opt/edge", "/etc/brave"} {
		w.policy(chromium, dir, "policies", "managed")
	}
	for _, dir := range []string{"/etc/firefox", "/etc/firefox-esr"} {
		w.policy(map[string]any{"policies": firefox}, dir, "policies")
	}
}

func locked(value any) map[string]any { return map[string]any{"Value": value, "Status": "locked"} }

// policy writes one file of policies, named as Firefox wants it.
func (w *walls) policy(content any, dir string, below ...string) {
	for _, name := range below {
		w.folders(dir)
		dir += "/" + name
	}
	w.folders(dir)
	data, err := json.Marshal(content)
	if err != nil {
		panic("bwrap: " + err.Error()) // unreachable unless a value cannot be JSON
	}
	w.file(dir+"/policies.json", string(data))
}
