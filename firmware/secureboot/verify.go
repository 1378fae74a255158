package secureboot

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
)

// Verify says whether the program has a signature of ours by the certificate's
// key. A box asks before it has its machine refuse all else.
func Verify(program []byte, by *x509.Certificate) error {
	pe, err := parse(program)
	if err != nil {
		return err
	}
	entry := program[pe+certificateEntry:]
	at, size := int(binary.LittleEndian.Uint32(entry)), int(binary.LittleEndian.Uint32(entry[4:]))
	if at == 0 {
		return errors.New("it is not signed")
	}
	if at < pe+certificateEntry+8 || at > len(program)-8 || size < 8 || size > len(program)-at {
		return errBroken
	}
	length := int(binary.LittleEndian.Uint32(program[at:]))
	if length < 8 || length > size {
		return errBroken
	}
	return verify(program[at+8:at+length], digest(program[:at], pe), by)
}

var errBroken = errors.New("its signature is damaged")

// verify checks the PKCS 7 structure about a program with that hash.
func verify(signature, sum []byte, by *x509.Certificate) error {
	var outer contentInfo
	var data signedData
	var content indirect
	if _, err := asn1.Unmarshal(signature, &outer); err != nil || !outer.Type.Equal(oidSignedData) {
		return errBroken
	}
	if _, err := asn1.Unmarshal(outer.Content.Bytes, &data); err != nil || len(data.Signers) != 1 || !data.Content.Type.Equal(oidIndirectData) {
		return errBroken
	}
	if _, err := asn1.Unmarshal(data.Content.Content.Bytes, &content); err != nil {
		return errBroken
	}
	if !bytes.Equal(content.Digest.Digest, sum) {
		return errors.New("it is not what was signed")
	}
	var inner asn1.RawValue
	if _, err := asn1.Unmarshal(data.Content.Content.Bytes, &inner); err != nil {
		return errBroken
	}
	// The attributes are a set with two members, of which the second is the
	// content's hash: what else is in there was not made by Sign.
	contentSum := sha256.Sum256(inner.Bytes)
	want, err := attributeSet(contentSum[:])
	if err != nil {
		return err
	}
	signer := data.Signers[0]
	if len(signer.Authenticated.FullBytes) == 0 || !bytes.Equal(signer.Authenticated.FullBytes[1:], want[1:]) {
		return errBroken
	}
	key, ok := by.PublicKey.(*rsa.PublicKey)
	if !ok {
		return errors.New("the certificate has no RSA key")
	}
	attributesSum := sha256.Sum256(want)
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, attributesSum[:], signer.Signature); err != nil {
		return fmt.Errorf("it is signed by another key: %w", err)
	}
	return nil
}
