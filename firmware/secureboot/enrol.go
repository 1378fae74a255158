package secureboot

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
)

// Variable is one of a machine's that say whom it trusts.
type Variable struct {
	Name   string
	Vendor string // GUID, as the kernel writes it in file names
}

// Variables are those that make a machine trust one key, and nobody else, in the
// order of writing: with the last one it leaves its setup mode.
var Variables = []Variable{
	{"db", "d719b2cb-3d3a-4596-a3bc-dad00e67656f"},
	{"KEK", globalVendor},
	{"PK", globalVendor},
}

const globalVendor = "8be4df61-93ca-11d2-aa0d-00e098032b8c"

// Attributes of these variables: kept, seen at boot and by the running system,
// written with a signature that has a time.
const Attributes = 0x27

// GUIDs as firmware keeps them (UEFI specification 8.2.2, 32.4.1).
var (
	certX509  = [16]byte{0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72}
	certPKCS7 = [16]byte{0x9d, 0xd2, 0xaf, 0x4a, 0xdf, 0x68, 0xee, 0x49, 0x8a, 0xa9, 0x34, 0x7d, 0x37, 0x56, 0x65, 0xa7}
	owner     = [16]byte{0x0e, 0x2b, 0x6c, 0x8f, 0xc1, 0x57, 0x5d, 0x4b, 0x9c, 0x2d, 0x6a, 0x1c, 0x7e, 0x5a, 0x1d, 0x08}
	vendors   = map[string][16]byte{
		globalVendor:                           {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c},
		"d719b2cb-3d3a-4596-a3bc-dad00e67656f": {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f},
	}
)

var oidData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}

// signedAt is the time in the signature: the first second of 2026, so that the
// same key gives the same bytes.
var signedAt = [16]byte{0xea, 0x07, 1, 1}

// Enrolment returns what is to be written into the variable so that it names
// this key alone. The machine wants it signed even in its setup mode, so only who
// has the private key can make it; a box carries it ready.
func (k *Key) Enrolment(v Variable) ([]byte, error) {
	le := binary.LittleEndian
	vendor, ok := vendors[v.Vendor]
	if !ok {
		return nil, fmt.Errorf("enrol: no variable %s of %s", v.Name, v.Vendor)
	}
	// EFI_SIGNATURE_LIST with one certificate.
	list := append([]byte(nil), certX509[:]...)
	one := 16 + len(k.Certificate.Raw)
	list = le.AppendUint32(list, uint32(28+one))
	list = le.AppendUint32(list, 0)
	list = le.AppendUint32(list, uint32(one))
	list = append(append(list, owner[:]...), k.Certificate.Raw...)

	var signed []byte
	for _, u := range utf16.Encode([]rune(v.Name)) {
		signed = le.AppendUint16(signed, u)
	}
	signed = le.AppendUint32(append(signed, vendor[:]...), Attributes)
	signed = append(append(signed, signedAt[:]...), list...)
	signature, err := k.detached(signed)
	if err != nil {
		return nil, err
	}
	// EFI_VARIABLE_AUTHENTICATION_2: time, then WIN_CERTIFICATE_UEFI_GUID.
	out := append([]byte(nil), signedAt[:]...)
	out = le.AppendUint32(out, uint32(24+len(signature)))
	out = le.AppendUint16(out, 0x0200)
	out = le.AppendUint16(out, 0x0ef1)
	out = append(append(out, certPKCS7[:]...), signature...)
	return append(out, list...), nil
}

// detached is the PKCS 7 signature of content that lies elsewhere, without the
// outermost wrapping, as the specification wants it for variables.
func (k *Key) detached(content []byte) ([]byte, error) {
	sum := sha256.Sum256(content)
	signature, err := rsa.SignPKCS1v15(rand.Reader, k.Private, crypto.SHA256, sum[:])
	if err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	return asn1.Marshal(k.signed(contentInfo{Type: oidData}, asn1.RawValue{}, signature))
}
