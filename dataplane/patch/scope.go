package patch

import (
	"maps"
	"slices"
	"strings"
)

// ScopeProduct is the scope of a definition that changes what servers of another
// product may rightly be asked: it is in force only in services that are known
// to run its product, or where the owner names it for the service.
const ScopeProduct = "product"

// WithProducts says what products the services run, by service. Without it
// definitions are in force whatever their scope.
func WithProducts(m map[string][]string) Option {
	return func(o *Set) { o.products, o.scoped = m, true }
}

// within confines a definition to the services that are known to run its product.
func (s *Set) within(l *loaded) {
	if !s.scoped || l.Scope != ScopeProduct {
		return
	}
	own := maps.Clone(l.byService)
	if own == nil {
		own = map[string]string{}
	}
	for service, products := range s.products {
		if _, said := own[service]; !said && slices.ContainsFunc(products, l.Product.is) {
			own[service] = l.mode
		}
	}
	l.mode, l.byService = Off, own
}

// is says whether a name is that of the product: as the definition has it, or
// the last part of its CPE, whatever the case.
func (p *Product) is(name string) bool {
	parts := strings.Split(p.CPE, ":")
	return strings.EqualFold(name, p.Name) || len(parts) > 4 && strings.EqualFold(name, parts[4])
}

// confinedTo names the product that the definition's scope is, "" where it has none.
func (d *Definition) confinedTo() string {
	if d.Scope != ScopeProduct {
		return ""
	}
	return d.Product.Name
}
