module server

go 1.22

require google.golang.org/protobuf v1.33.0
