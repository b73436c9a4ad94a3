// Forwardproxy is a forward proxy with a login on a free loopback port. It passes CONNECT to port 443 of the hosts that
// are its arguments, and answers everything else with 403.
// The login (name:password) comes from the variable FORWARDPROXY_LOGIN. The first line it prints is its own host:port;
// then one line per request: the status it gave, the method and the host asked for.
package main

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

type proxy struct {
	want  string              // of the header Proxy-Authorization
	hosts map[string][]string // addresses of host:443, looked up once: name servers of sandboxes lose questions
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	addresses := p.hosts[r.Host]
	switch {
	case subtle.ConstantTimeCompare([]byte(r.Header.Get("Proxy-Authorization")), []byte(p.want)) != 1:
		fmt.Println(http.StatusProxyAuthRequired, r.Method, r.Host)
		w.Header().Set("Proxy-Authenticate", `Basic realm="corp"`)
		http.Error(w, "login please", http.StatusProxyAuthRequired)
	case r.Method != http.MethodConnect || len(addresses) == 0:
		fmt.Println(http.StatusForbidden, r.Method, r.Host)
		http.Error(w, "not on the list", http.StatusForbidden)
	default:
		tunnel(w, r, addresses)
	}
}

// dial takes the first address that answers.
func dial(addresses []string) (conn net.Conn, err error) {
	for _, a := range addresses {
		if conn, err = net.DialTimeout("tcp", net.JoinHostPort(a, "443"), 3*time.Second); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

func tunnel(w http.ResponseWriter, r *http.Request, addresses []string) {
	out, err := dial(addresses)
	if err != nil {
		fmt.Println(http.StatusBadGateway, r.Method, r.Host, err)
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer out.Close()
	in, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer in.Close()
	fmt.Println(http.StatusOK, r.Method, r.Host)
	fmt.Fprint(in, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		io.Copy(out, buffered)
		out.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(in, out)
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("forwardproxy: ")
	login := os.Getenv("FORWARDPROXY_LOGIN")
	if login == "" || len(os.Args) < 2 {
		log.Fatal("usage: FORWARDPROXY_LOGIN=name:password forwardproxy HOST...")
	}
	p := &proxy{want: "Basic " + base64.StdEncoding.EncodeToString([]byte(login)), hosts: map[string][]string{}}
	for _, host := range os.Args[1:] {
		addresses, err := net.LookupHost(host)
		if err != nil {
			log.Fatal(err)
		}
		p.hosts[net.JoinHostPort(host, "443")] = addresses
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr())
	log.Fatal(http.Serve(l, p))
}
