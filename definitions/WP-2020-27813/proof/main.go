// Says messages back, up to 1000 octets, beside a page.
package main

import (
	"fmt"
	"net/http"
	"os"

	"github.com/gorilla/websocket"
)

var upgrader websocket.Upgrader

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "a page") })
	http.HandleFunc("/ws", echo)
	if err := http.ListenAndServe(os.Getenv("HOST")+":"+os.Getenv("PORT"), nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	c, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	c.SetReadLimit(1000)
	for {
		kind, text, err := c.ReadMessage()
		if err != nil {
			return
		}
		if err := c.WriteMessage(kind, text); err != nil {
			return
		}
	}
}
