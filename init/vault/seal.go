package vault

import (
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxtpm"
)

// Device is the machine's TPM, with the kernel looking after what is in it.
const Device = "/dev/tpmrm0"

// Policy says when a TPM gives a secret out again.
type Policy int

const (
	// SecureBoot is while PCR 7 is as it was: Secure Boot as on or off, with the
	// same keys. Signed updates of the firmware leave that so; PCR 4, 9 and 11, in
	// which the firmware itself is measured, change with each of them.
	SecureBoot Policy = iota
	// Always is on this TPM whatever was started.
	Always
)

// pcr is where the machine measures its Secure Boot keys.
const pcr = 7

// Open opens the machine's TPM.
func Open() (transport.TPMCloser, error) { return linuxtpm.Open(Device) }

// ErrRefused says that the TPM does not give the secret out: it is another one, or
// its policy does not hold.
var ErrRefused = errors.New("the TPM does not give the secret out")

// Seal has the TPM lock the secret so that it alone opens it, under the policy.
func Seal(t transport.TPM, s Secret, p Policy) ([]byte, error) {
	root, err := openRoot(t)
	if err != nil {
		return nil, err
	}
	defer root.close()
	public := tpm2.TPMTPublic{Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, NoDA: true, UserWithAuth: p == Always}}
	if p == SecureBoot {
		digest, err := policyDigest(t)
		if err != nil {
			return nil, err
		}
		public.AuthPolicy = tpm2.TPM2BDigest{Buffer: digest}
	}
	made, err := tpm2.Create{ParentHandle: root.handle(), InPublic: tpm2.New2B(public),
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: s[:]})}},
	}.Execute(t, root.in())
	if err != nil {
		return nil, fmt.Errorf("seal to the TPM: %w", err)
	}
	return append(tpm2.Marshal(made.OutPublic), tpm2.Marshal(made.OutPrivate)...), nil
}

// Unseal has the TPM open what it has sealed.
func Unseal(t transport.TPM, sealed []byte, p Policy) (s Secret, err error) {
	public, rest, err := sized(sealed)
	if err != nil {
		return s, err
	}
	private, _, err := sized(rest)
	if err != nil {
		return s, err
	}
	root, err := openRoot(t)
	if err != nil {
		return s, err
	}
	defer root.close()
	loaded, err := tpm2.Load{ParentHandle: root.handle(), InPublic: tpm2.BytesAs2B[tpm2.TPMTPublic](public),
		InPrivate: tpm2.TPM2BPrivate{Buffer: private}}.Execute(t)
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	defer tpm2.FlushContext{FlushHandle: loaded.ObjectHandle}.Execute(t)
	auth := tpm2.PasswordAuth(nil)
	if p == SecureBoot {
		auth = tpm2.Policy(tpm2.TPMAlgSHA256, 16, func(t transport.TPM, session tpm2.TPMISHPolicy, _ tpm2.TPM2BNonce) error {
			_, err := tpm2.PolicyPCR{PolicySession: session, Pcrs: selection}.Execute(t)
			return err
		})
	}
	got, err := tpm2.Unseal{ItemHandle: tpm2.AuthHandle{Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: auth}}.Execute(t, root.out())
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if copy(s[:], got.OutData.Buffer) != len(s) || len(got.OutData.Buffer) != len(s) {
		return Secret{}, errors.New("unseal: what the TPM opened is no secret of a box")
	}
	return s, nil
}

var selection = tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{
	{Hash: tpm2.TPMAlgSHA256, PCRSelect: tpm2.PCClientCompatible.PCRs(pcr)}}}

// policyDigest is the policy that PCR 7 is as it is now.
func policyDigest(t transport.TPM) ([]byte, error) {
	session, end, err := tpm2.PolicySession(t, tpm2.TPMAlgSHA256, 16, tpm2.Trial())
	if err != nil {
		return nil, fmt.Errorf("seal to the TPM: %w", err)
	}
	defer end()
	if _, err := (tpm2.PolicyPCR{PolicySession: session.Handle(), Pcrs: selection}).Execute(t); err != nil {
		return nil, fmt.Errorf("seal to PCR %d: %w", pcr, err)
	}
	got, err := tpm2.PolicyGetDigest{PolicySession: session.Handle()}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("seal to PCR %d: %w", pcr, err)
	}
	return got.PolicyDigest.Buffer, nil
}

// root is the key under which secrets are sealed; the TPM makes the same one
// each time.
type root struct {
	t      transport.TPM
	made   *tpm2.CreatePrimaryResponse
	public *tpm2.TPMTPublic
}

func openRoot(t transport.TPM) (*root, error) {
	made, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("%w: its storage key: %w", ErrRefused, err)
	}
	public, err := made.OutPublic.Contents()
	if err != nil {
		return nil, err
	}
	return &root{t, made, public}, nil
}

func (r *root) close() { tpm2.FlushContext{FlushHandle: r.made.ObjectHandle}.Execute(r.t) }

func (r *root) handle() tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: r.made.ObjectHandle, Name: r.made.Name, Auth: tpm2.PasswordAuth(nil)}
}

// in and out are sessions that encrypt what goes to the TPM, or comes from it:
// between it and the processor there may be wires that somebody listens at.
func (r *root) in() tpm2.Session {
	return tpm2.HMAC(tpm2.TPMAlgSHA256, 16, tpm2.AESEncryption(128, tpm2.EncryptIn), tpm2.Salted(r.made.ObjectHandle, *r.public))
}

func (r *root) out() tpm2.Session {
	return tpm2.HMAC(tpm2.TPMAlgSHA256, 16, tpm2.AESEncryption(128, tpm2.EncryptOut), tpm2.Salted(r.made.ObjectHandle, *r.public))
}

// sized takes a piece with its length before it from the front.
func sized(b []byte) (piece, rest []byte, err error) {
	const most = 1024
	if len(b) < 2 {
		return nil, nil, errBroken
	}
	n := int(b[0])<<8 | int(b[1])
	if n > most || n > len(b)-2 {
		return nil, nil, errBroken
	}
	return b[2 : 2+n], b[2+n:], nil
}

var errBroken = errors.New("unseal: the sealed secret is damaged")
