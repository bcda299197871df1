package inside

import "encoding/json"

// local are the hosts that programs reach without the proxy: those inside.
const local = "localhost,127.0.0.1,::1"

// ProxyEnv tells programs of the proxy in the ways in which they look for one:
// curl and git in lower case, others in capitals, Node from version 24 on when asked to.
func ProxyEnv(address string) []string {
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

// policyPlaces are where browsers look for policies, and which of the two they read.
var policyPlaces = []struct {
	dir     string
	firefox bool
}{
	{"/etc/chromium/policies/managed", false}, {"/etc/opt/chrome/policies/managed", false}, {"/etc/opt/edge/policies/managed", false},
	{"/etc/brave/policies/managed", false}, {"/etc/firefox/policies", true}, {"/etc/firefox-esr/policies", true},
}

// Policies are what browsers obey whatever their settings and flags say, as
// files by their path: nothing goes past the proxy, and nothing is said over UDP
// or to a resolver. An empty proxy is none.
func Policies(proxy string) map[string][]byte {
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
	of := map[bool][]byte{false: encode(chromium), true: encode(map[string]any{"policies": firefox})}
	files := map[string][]byte{}
	for _, p := range policyPlaces {
		files[p.dir+"/policies.json"] = of[p.firefox] // named as Firefox wants it
	}
	return files
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic("inside: " + err.Error()) // unreachable unless a value cannot be JSON
	}
	return data
}

func locked(value any) map[string]any { return map[string]any{"Value": value, "Status": "locked"} }
