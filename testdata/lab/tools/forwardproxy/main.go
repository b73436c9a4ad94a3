// Forwardproxy is a forward proxy with a login on a free loopback port: CONNECT, and plain HTTP by absolute address.
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
	"net/http/httputil"
	"os"
	"time"
)

type proxy struct {
	want    string // of the header Proxy-Authorization
	forward httputil.ReverseProxy
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case subtle.ConstantTimeCompare([]byte(r.Header.Get("Proxy-Authorization")), []byte(p.want)) != 1:
		fmt.Println(http.StatusProxyAuthRequired, r.Method, r.Host)
		w.Header().Set("Proxy-Authenticate", `Basic realm="corp"`)
		http.Error(w, "login please", http.StatusProxyAuthRequired)
	case r.Method == http.MethodConnect:
		tunnel(w, r)
	default:
		fmt.Println(http.StatusOK, r.Method, r.Host)
		p.forward.ServeHTTP(w, r)
	}
}

func tunnel(w http.ResponseWriter, r *http.Request) {
	out, err := net.DialTimeout("tcp", r.Host, 10*time.Second)
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
	login := os.Getenv("FORWARDPROXY_LOGIN")
	if login == "" {
		log.Fatal("forwardproxy: FORWARDPROXY_LOGIN is not set")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr())
	p := &proxy{
		want:    "Basic " + base64.StdEncoding.EncodeToString([]byte(login)),
		forward: httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.Header.Del("Proxy-Authorization") }},
	}
	log.Fatal(http.Serve(l, p))
}
