package vault

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ID names a key to the kernel; it is made from the key and tells nothing of it.
type ID [16]byte

// setPolicy is FS_IOC_SET_ENCRYPTION_POLICY of the kernel's
// include/uapi/linux/fscrypt.h.
const setPolicy = 0x800c6613

// Of reports by which key the folder is encrypted, and whether it is at all.
func Of(folder string) (id ID, encrypted bool, err error) {
	f, err := os.Open(folder)
	if err != nil {
		return id, false, err
	}
	defer f.Close()
	var arg unix.FscryptGetPolicyExArg
	arg.Size = uint64(len(arg.Policy))
	err = ioctl(f, unix.FS_IOC_GET_ENCRYPTION_POLICY_EX, unsafe.Pointer(&arg))
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP) {
		return id, false, nil
	}
	if err != nil {
		return id, false, fmt.Errorf("ask how %s is encrypted: %w", folder, err)
	}
	p := (*unix.FscryptPolicyV2)(unsafe.Pointer(&arg.Policy))
	if p.Version != unix.FSCRYPT_POLICY_V2 {
		return id, true, fmt.Errorf("%s is encrypted by a policy of version %d; want %d", folder, p.Version, unix.FSCRYPT_POLICY_V2)
	}
	return p.Master_key_identifier, true, nil
}

// Unlock hands the key to the file system that the folder is on, until it is
// unmounted.
func (s Secret) Unlock(folder string) (id ID, err error) {
	key, err := s.key()
	if err != nil {
		return id, err
	}
	defer clear(key)
	f, err := os.Open(folder)
	if err != nil {
		return id, err
	}
	defer f.Close()
	// The key follows its description in memory.
	var arg struct {
		unix.FscryptAddKeyArg
		key [64]byte
	}
	defer clear(arg.key[:])
	arg.Key_spec.Type = unix.FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER
	arg.Raw_size = uint32(copy(arg.key[:], key))
	if err := ioctl(f, unix.FS_IOC_ADD_ENCRYPTION_KEY, unsafe.Pointer(&arg)); err != nil {
		return id, fmt.Errorf("hand the folder's key to the kernel: %w", err)
	}
	copy(id[:], arg.Key_spec.U[:])
	return id, nil
}

// Encrypt has everything in the folder, which must be empty, encrypted from now
// on by the key of that name.
func Encrypt(folder string, id ID) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	p := unix.FscryptPolicyV2{Version: unix.FSCRYPT_POLICY_V2, Contents_encryption_mode: unix.FSCRYPT_MODE_AES_256_XTS,
		Filenames_encryption_mode: unix.FSCRYPT_MODE_AES_256_CTS, Flags: unix.FSCRYPT_POLICY_FLAGS_PAD_32, Master_key_identifier: id}
	if err := ioctl(f, setPolicy, unsafe.Pointer(&p)); err != nil {
		return fmt.Errorf("encrypt %s: %w", folder, err)
	}
	return f.Sync()
}

func ioctl(f *os.File, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
