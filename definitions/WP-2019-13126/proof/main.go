// A NATS server for clients.
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"
)

func main() {
	port, err := strconv.Atoi(os.Getenv("PORT"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server.New(&server.Options{Host: os.Getenv("HOST"), Port: port, NoSigs: true, NoLog: true}).Start()
	select {}
}
