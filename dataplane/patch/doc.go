// Package patch is what is to be corrected. It reads inline patch definitions
// (definitions/<id>/patch.yaml), checks and compiles them against the schemas
// that the decoders publish, proves each by its own tests, and answers a
// decoder's question what to change in a message (protocol.Rules).
//
// It knows elements and fields, but neither the bytes of a protocol nor packets.
// docs/definitions.md describes the language for authors.
package patch
