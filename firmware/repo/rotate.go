package repo

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"wirepatch/board/atomicfile"
)

// Rotate makes the keys of a role those that lie in the key folder now. For one
// of the root's roles, root included, that is a new root, signed by every root
// key at hand: to be taken by boxes it needs the old root's threshold and the new
// one's. For a delegated role it is a new version of targets, and the role is
// signed anew by its new keys.
func (r *Repo) Rotate(role string) error {
	if role == Firmware || role == Definitions {
		if err := r.delegate(); err != nil {
			return err
		}
		return r.change(role, func(*metadata.TargetsType) error { return nil })
	}
	version := r.newest(metadata.ROOT)
	old, err := metadata.Root().FromFile(r.path(versioned(metadata.ROOT, version)))
	if err != nil {
		return fmt.Errorf("rotate %s: %w", role, err)
	}
	root, err := metadata.Root().FromFile(r.path(versioned(metadata.ROOT, version)))
	if err != nil {
		return fmt.Errorf("rotate %s: %w", role, err)
	}
	if _, ok := root.Signed.Roles[role]; !ok {
		return fmt.Errorf("rotate: role %q is not known; known are %s", role, strings.Join(roles, ", "))
	}
	keys, err := r.Keys.of(role)
	if err != nil {
		return err
	}
	for _, id := range slices.Clone(root.Signed.Roles[role].KeyIDs) {
		if err := root.Signed.RevokeKey(id, role); err != nil {
			return fmt.Errorf("rotate %s: %w", role, err)
		}
	}
	for _, k := range keys {
		if err := root.Signed.AddKey(k.key, role); err != nil {
			return fmt.Errorf("rotate %s: %w", role, err)
		}
	}
	if n := r.Threshold[role]; n > 0 {
		root.Signed.Roles[role].Threshold = n
	}
	root.Signed.Version, root.Signed.Expires = version+1, r.expires(metadata.ROOT)
	signers, err := r.rootSigners(old.Signed.Roles[metadata.ROOT].KeyIDs, root.Signed.Roles[metadata.ROOT].KeyIDs)
	if err != nil {
		return err
	}
	if err := write(r, root, metadata.ROOT, versioned(metadata.ROOT, version+1), signers); err != nil {
		return err
	}
	if role == metadata.TARGETS {
		return r.delegate()
	}
	return nil
}

// rootSigners are the keys at hand that the old root or the new one knows. Keys
// that are leaving lie in the folder as old-NAME.key.
func (r *Repo) rootSigners(lists ...[]string) (out []signer, err error) {
	var all []signer
	for _, role := range []string{metadata.ROOT, "old"} {
		some, err := r.Keys.of(role)
		if err != nil && role == metadata.ROOT {
			return nil, err
		}
		all = append(all, some...)
	}
	for _, s := range all {
		id, err := s.key.ID()
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(lists, func(l []string) bool { return slices.Contains(l, id) }) {
			out = append(out, s)
		}
	}
	return out, nil
}

// Sign adds the signatures of the keys at hand to the newest version of a role,
// for those whose keys lie with several people.
func (r *Repo) Sign(role string) error {
	file := versioned(role, r.newest(role))
	keys, err := r.Keys.of(role)
	if err != nil {
		return err
	}
	if role == metadata.ROOT {
		return addSignatures(r, metadata.Root(), file, keys)
	}
	return addSignatures(r, metadata.Targets(), file, keys)
}

func addSignatures[T metadata.Roles](r *Repo, meta *metadata.Metadata[T], file string, keys []signer) error {
	if _, err := meta.FromFile(r.path(file)); err != nil {
		return fmt.Errorf("sign %s: %w", file, err)
	}
	for _, k := range keys {
		id, err := k.key.ID()
		if err != nil {
			return err
		}
		if slices.ContainsFunc(meta.Signatures, func(s metadata.Signature) bool { return s.KeyID == id }) {
			continue
		}
		if _, err := meta.Sign(k.sign); err != nil {
			return fmt.Errorf("sign %s with %s: %w", file, k.file, err)
		}
	}
	text, err := meta.ToBytes(true)
	if err != nil {
		return err
	}
	return atomicfile.Write(r.path(file), text, 0o644)
}

// Check verifies the whole chain as a box that trusts the first root would.
func (r *Repo) Check() error {
	first, err := os.ReadFile(r.path(versioned(metadata.ROOT, 1)))
	if err != nil {
		return err
	}
	trusted, err := metadata.Root().FromBytes(first)
	if err != nil {
		return err
	}
	for v := int64(1); v <= r.newest(metadata.ROOT); v++ {
		next, err := metadata.Root().FromFile(r.path(versioned(metadata.ROOT, v)))
		if err == nil {
			err = errors.Join(trusted.VerifyDelegate(metadata.ROOT, next), next.VerifyDelegate(metadata.ROOT, next))
		}
		if err != nil {
			return fmt.Errorf("root version %d lacks signatures; bring the other keys and run: repo sign root: %w", v, err)
		}
		trusted = next
	}
	top, err := metadata.Targets().FromFile(r.path(versioned(metadata.TARGETS, r.newest(metadata.TARGETS))))
	if err == nil {
		err = trusted.VerifyDelegate(metadata.TARGETS, top)
	}
	if err != nil {
		return fmt.Errorf("targets lacks signatures; run: repo sign targets: %w", err)
	}
	for _, role := range []string{Firmware, Definitions} {
		meta, err := metadata.Targets().FromFile(r.path(versioned(role, r.newest(role))))
		if err == nil {
			err = top.VerifyDelegate(role, meta)
		}
		if err != nil {
			return fmt.Errorf("%s lacks signatures; run: repo sign %s: %w", role, role, err)
		}
	}
	return nil
}
