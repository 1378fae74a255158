// Reads messages in JSON, and discards what it does not know.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func main() {
	for path, message := range map[string]func() proto.Message{
		"/any": func() proto.Message { return new(anypb.Any) }, "/struct": func() proto.Message { return new(structpb.Struct) },
		"/bool": func() proto.Message { return new(wrapperspb.BoolValue) }, "/duration": func() proto.Message { return new(durationpb.Duration) },
	} {
		http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			m := message()
			if err == nil {
				err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, m)
			}
			if err != nil {
				http.Error(w, "bad json", http.StatusBadRequest)
				return
			}
			fmt.Fprintf(w, "%d octets, read as %x\n", len(b), must(proto.MarshalOptions{Deterministic: true}.Marshal(m)))
		})
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok\n") })
	if err := http.ListenAndServe(os.Getenv("HOST")+":"+os.Getenv("PORT"), nil); err != nil {
		panic(err)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
