module server

go 1.21

require github.com/nats-io/nats-server/v2 v2.0.0

require (
	github.com/nats-io/jwt v0.2.6 // indirect
	github.com/nats-io/nkeys v0.0.2 // indirect
	golang.org/x/crypto v0.0.0-20190530122614-20be4c3c3ed5 // indirect
	golang.org/x/sys v0.0.0-20190412213103-97732733099d // indirect
)
