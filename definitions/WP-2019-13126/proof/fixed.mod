module server

go 1.21

require github.com/nats-io/nats-server/v2 v2.0.2

require (
	github.com/nats-io/jwt v0.2.8 // indirect
	github.com/nats-io/nkeys v0.1.0 // indirect
	golang.org/x/crypto v0.0.0-20190701094942-4def268fd1a4 // indirect
	golang.org/x/sys v0.0.0-20190710143415-6ec70d6a5542 // indirect
)
