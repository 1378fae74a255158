package patch

import "errors"

// Fill replaces the ${ expressions } of a text as in a definition's tests. It
// serves the proofs, whose requests are written the same way.
func Fill(text string) (string, error) {
	b, err := fillVector(&Vector{Client: Text{Value: text}})
	if err != nil {
		return "", errors.Join(err)
	}
	return b.client, nil
}
