// Package secureboot signs EFI programs as machines' firmware checks them under
// Secure Boot: Microsoft's Authenticode, a PKCS 7 signature in the program's
// certificate table. It also makes the key. The same program and key give the
// same bytes: no time is signed.
package secureboot

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
)

// Object identifiers of Authenticode and PKCS 7.
var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidIndirectData  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 4}
	oidImageData     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 1, 15}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	algSHA256        = pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, Parameters: asn1.NullRawValue}
	algRSA           = pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, Parameters: asn1.NullRawValue}
)

// Key is a private key with its certificate, which machines are to trust.
type Key struct {
	Private     *rsa.PrivateKey
	Certificate *x509.Certificate
}

// Offsets in a PE file, from its signature on.
const (
	checksum         = 24 + 64
	certificateEntry = 24 + 112 + 4*8 // in the table of directories
	certificateAlign = 8
)

// Sign returns the program with a signature, in place of any that it has.
func (k *Key) Sign(program []byte) ([]byte, error) {
	pe, err := parse(program)
	if err != nil {
		return nil, err
	}
	entry := program[pe+certificateEntry:]
	out := bytes.Clone(program)
	if at := binary.LittleEndian.Uint32(entry); at != 0 && int(at) <= len(out) {
		out = out[:at]
	}
	out = append(out, make([]byte, (certificateAlign-len(out)%certificateAlign)%certificateAlign)...)
	signature, err := k.signature(digest(out, pe))
	if err != nil {
		return nil, err
	}
	// WIN_CERTIFICATE: length, revision 2, PKCS 7.
	table := binary.LittleEndian.AppendUint32(nil, uint32(8+len(signature)))
	table = append(table, 0, 2, 2, 0)
	table = append(table, signature...)
	table = append(table, make([]byte, (certificateAlign-len(table)%certificateAlign)%certificateAlign)...)
	binary.LittleEndian.PutUint32(out[pe+certificateEntry:], uint32(len(out)))
	binary.LittleEndian.PutUint32(out[pe+certificateEntry+4:], uint32(len(table)))
	return append(out, table...), nil
}

// parse finds the PE header.
func parse(b []byte) (int, error) {
	if len(b) < 0x40 || string(b[:2]) != "MZ" {
		return 0, errors.New("sign: it is no EFI program")
	}
	pe := int(binary.LittleEndian.Uint32(b[0x3c:]))
	if pe > len(b)-certificateEntry-8 || string(b[pe:pe+4]) != "PE\x00\x00" || binary.LittleEndian.Uint16(b[pe+24:]) != 0x20b {
		return 0, errors.New("sign: it is no EFI program of 64 bits")
	}
	return pe, nil
}

// digest is the hash that is signed: of all but the checksum and where the
// signature is.
func digest(b []byte, pe int) []byte {
	h := sha256.New()
	h.Write(b[:pe+checksum])
	h.Write(b[pe+checksum+4 : pe+certificateEntry])
	h.Write(b[pe+certificateEntry+8:])
	return h.Sum(nil)
}

type attribute struct {
	Type   asn1.ObjectIdentifier
	Values []asn1.RawValue `asn1:"set"`
}

type signerInfo struct {
	Version       int
	Issuer        issuerAndSerial
	Digest        pkix.AlgorithmIdentifier
	Authenticated asn1.RawValue `asn1:"optional"`
	Encryption    pkix.AlgorithmIdentifier
	Signature     []byte
}

type issuerAndSerial struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"optional"`
}

type signedData struct {
	Version      int
	Digests      []pkix.AlgorithmIdentifier `asn1:"set"`
	Content      contentInfo
	Certificates asn1.RawValue
	Signers      []signerInfo `asn1:"set"`
}

// indirect is SpcIndirectDataContent.
type indirect struct {
	Data struct {
		Type  asn1.ObjectIdentifier
		Value struct {
			Flags asn1.BitString
			File  asn1.RawValue
		}
	}
	Digest struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
}

// signature is the PKCS 7 structure about a program with that hash.
func (k *Key) signature(sum []byte) ([]byte, error) {
	var c indirect
	c.Data.Type = oidImageData
	// A link to a file without a name, as all signing tools write it.
	c.Data.Value.File = asn1.RawValue{FullBytes: []byte{0xa0, 4, 0xa2, 2, 0x80, 0}}
	c.Digest.Algorithm, c.Digest.Digest = algSHA256, sum
	content, err := asn1.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	var inner asn1.RawValue
	if _, err := asn1.Unmarshal(content, &inner); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	contentSum := sha256.Sum256(inner.Bytes)
	attributes, err := attributeSet(contentSum[:])
	if err != nil {
		return nil, err
	}
	attributesSum := sha256.Sum256(attributes)
	signature, err := rsa.SignPKCS1v15(rand.Reader, k.Private, crypto.SHA256, attributesSum[:])
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	// In the structure the set is tagged [0]; signed it is as a set.
	tagged := append([]byte{0xa0}, attributes[1:]...)
	data, err := asn1.Marshal(k.signed(contentInfo{oidIndirectData, explicit(content)}, asn1.RawValue{FullBytes: tagged}, signature))
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return asn1.Marshal(contentInfo{oidSignedData, explicit(data)})
}

// signed is a structure with one signer, us.
func (k *Key) signed(content contentInfo, attributes asn1.RawValue, signature []byte) signedData {
	return signedData{Version: 1, Digests: []pkix.AlgorithmIdentifier{algSHA256}, Content: content, Certificates: explicit(k.Certificate.Raw),
		Signers: []signerInfo{{Version: 1, Issuer: issuerAndSerial{asn1.RawValue{FullBytes: k.Certificate.RawIssuer}, k.Certificate.SerialNumber},
			Digest: algSHA256, Authenticated: attributes, Encryption: algRSA, Signature: signature}}}
}

// explicit is content in a tag [0].
func explicit(content []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: content}
}

// attributeSet is the set of what is signed about the content.
func attributeSet(sum []byte) ([]byte, error) {
	value := func(v any) []asn1.RawValue {
		b, err := asn1.Marshal(v)
		if err != nil {
			panic(err) // an identifier and some bytes always have a form
		}
		return []asn1.RawValue{{FullBytes: b}}
	}
	return asn1.MarshalWithParams([]attribute{{oidContentType, value(oidIndirectData)}, {oidMessageDigest, value(sum)}}, "set")
}
