module server

go 1.23

require github.com/gorilla/schema v1.4.1
