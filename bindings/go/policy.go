package weir

// #include "crossing.h"
import "C"

import (
	"bytes"
	"fmt"
	"os"
)

// Policy is a parsed, validated document; immutable once an engine has it.
type Policy struct {
	c *C.weir_policy
	g *guard
}

// ParsePolicy parses and validates a policy document. The error names the first fault by line and
// column; CheckPolicy gives all of them.
func ParsePolicy(document string) (*Policy, error) {
	p := &Policy{}
	text, size := textOf(document)
	var handle *C.weir_policy
	err := try(func(e *C.weir_error) C.weir_status {
		return C.weir_policy_parse(text, size, &handle, e)
	})
	if err != nil {
		return nil, err
	}
	p.c, p.g = handle, watch("Policy")
	return p, nil
}

// LoadPolicy reads a policy from a file and resolves its secrets.
func LoadPolicy(path string) (*Policy, error) {
	document, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	policy, err := ParsePolicy(string(document))
	if err == nil {
		if err = policy.ResolveSecrets(); err != nil {
			policy.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return policy, nil
}

// CheckPolicy gives every fault of a document, one per line; the empty text when it is sound.
func CheckPolicy(document string) (string, error) {
	text, size := textOf(document)
	faults, err := readText(
		func(b *C.char, capacity C.size_t, needed *C.size_t, e *C.weir_error) C.weir_status {
			return C.weir_policy_check(text, size, b, capacity, needed, e)
		})
	return string(faults), err
}

// SecretKind is where a secret is to be found.
type SecretKind int

// The kinds of secrets.
const (
	SecretEnv  SecretKind = C.WEIR_SECRET_ENV
	SecretFile SecretKind = C.WEIR_SECRET_FILE
)

// Secret is one that the document names but does not hold.
type Secret struct {
	Kind SecretKind
	Name string // of the variable or file
}

// Secrets are those that the document names, in the order of SetSecret.
func (p *Policy) Secrets() []Secret {
	secrets := make([]Secret, 0, int(C.weir_policy_secret_count(p.c)))
	for i := 0; i < cap(secrets); i++ {
		var kind C.int32_t
		var name C.weir_go_text
		status := C.weir_policy_secret(p.c, C.uint32_t(i), &kind, &name.bytes, &name.size)
		if status != C.WEIR_OK {
			break
		}
		secrets = append(secrets, Secret{SecretKind(kind), goString(name)})
	}
	return secrets
}

// SetSecret gives the value of the index-th one.
func (p *Policy) SetSecret(index int, value string) error {
	text, size := textOf(value)
	return statusError(C.weir_policy_set_secret(p.c, C.uint32_t(index), text, size))
}

// ResolveSecrets gives all of them from the environment and from files, without line ends there.
func (p *Policy) ResolveSecrets() error {
	for i, secret := range p.Secrets() {
		value, err := secret.resolve()
		if err != nil {
			return err
		}
		if err := p.SetSecret(i, value); err != nil {
			return err
		}
	}
	return nil
}

func (s Secret) resolve() (string, error) {
	switch s.Kind {
	case SecretEnv:
		value, set := os.LookupEnv(s.Name)
		if !set {
			return "", fmt.Errorf("weir: the environment variable %s is not set", s.Name)
		}
		return value, nil
	case SecretFile:
		value, err := os.ReadFile(s.Name)
		return string(bytes.TrimRight(value, "\r\n")), err
	}
	return "", fmt.Errorf("weir: the secret %s is of an unknown kind", s.Name)
}

// Close frees the policy; engines keep their own reference.
func (p *Policy) Close() {
	if p.c != nil {
		C.weir_policy_free(p.c)
		p.g.done()
		p.c = nil
	}
}

// KeyHash is the stored form of a virtual key, for a policy's consumers.
func KeyHash(pepper, key string) (string, error) {
	pepperText, pepperSize := textOf(pepper)
	keyText, keySize := textOf(key)
	hash, err := readText(
		func(b *C.char, capacity C.size_t, needed *C.size_t, e *C.weir_error) C.weir_status {
			return C.weir_key_hash(pepperText, pepperSize, keyText, keySize, b, capacity, needed, e)
		})
	return string(hash), err
}
