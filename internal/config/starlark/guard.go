package starlark

import (
	"fmt"
	"slices"

	"go.starlark.net/syntax"
)

// Names of the functions that a guarded file calls. They are not valid identifiers,
// so a config can't use them.
const (
	guardBinary = "$binary" // op, x, y -> x op y
	guardAssign = "$assign" // op, x, y -> y, after charging for x op y
	guardCopy   = "$copy"   // x -> x, charging for a copy of it
	guardAttr   = "$attr"   // x, name -> x.name

	joinKeywords = "$keywords" // dicts -> one dict; a repeated key is an error
)

// maxNesting bounds the depth of a syntax tree, and so of the recursion over it.
const maxNesting = 1000

// guard rewrites a parsed file so that every operation that can build large values
// (repeating, concatenating, formatting, copying) goes through a function of the
// budget. Starlark bounds steps, not memory: x += x, forty times, would be 40 steps
// and a terabyte.
func guard(file *syntax.File) error {
	var g guarder
	g.stmts(file.Stmts)
	return g.err
}

type guarder struct {
	depth int
	err   error // the first one
}

// enter goes down one level, and reports whether that is allowed.
func (g *guarder) enter() bool {
	g.depth++
	if g.depth > maxNesting && g.err == nil {
		g.err = fmt.Errorf("expressions are nested deeper than %d levels", maxNesting)
	}
	return g.err == nil
}

func (g *guarder) leave() { g.depth-- }

func (g *guarder) stmts(list []syntax.Stmt) {
	defer g.leave()
	if !g.enter() {
		return
	}
	for _, stmt := range list {
		switch s := stmt.(type) {
		case *syntax.AssignStmt:
			g.assign(s)
		case *syntax.DefStmt:
			g.params(s.Params)
			g.stmts(s.Body)
		case *syntax.ExprStmt:
			s.X = g.expr(s.X)
		case *syntax.ForStmt:
			g.target(s.Vars)
			s.X = g.expr(s.X)
			g.stmts(s.Body)
		case *syntax.WhileStmt:
			s.Cond = g.expr(s.Cond)
			g.stmts(s.Body)
		case *syntax.IfStmt:
			s.Cond = g.expr(s.Cond)
			g.stmts(s.True)
			g.stmts(s.False)
		case *syntax.ReturnStmt:
			s.Result = g.expr(s.Result)
		}
	}
}

// assignOps are the augmented assignments whose result can outgrow its operands.
var assignOps = map[syntax.Token]syntax.Token{
	syntax.PLUS_EQ:    syntax.PLUS,
	syntax.STAR_EQ:    syntax.STAR,
	syntax.PERCENT_EQ: syntax.PERCENT,
	syntax.LTLT_EQ:    syntax.LTLT,
	syntax.PIPE_EQ:    syntax.PIPE,
}

// binaryOps are the binary operators that guardBinary replaces.
var binaryOps = map[syntax.Token]bool{
	syntax.PLUS: true, syntax.STAR: true, syntax.PERCENT: true, syntax.LTLT: true, syntax.PIPE: true,
}

func (g *guarder) assign(s *syntax.AssignStmt) {
	g.target(s.LHS)
	s.RHS = g.expr(s.RHS)
	op, ok := assignOps[s.Op]
	if !ok {
		return
	}
	operand, ok := copyTarget(s.LHS)
	if !ok && g.err == nil {
		g.err = &Error{s.OpPos.String(), fmt.Errorf("the target of %s must be a name or an element: write x = x %s y", s.Op, op)}
	}
	s.RHS = call(guardAssign, s.OpPos, text(op.String(), s.OpPos), operand, s.RHS)
}

// target guards the expressions in the target of an assignment.
func (g *guarder) target(e syntax.Expr) {
	defer g.leave()
	if !g.enter() {
		return
	}
	switch e := e.(type) {
	case *syntax.IndexExpr:
		e.X, e.Y = g.expr(e.X), g.expr(e.Y)
	case *syntax.DotExpr:
		e.X = g.expr(e.X)
	case *syntax.ParenExpr:
		g.target(e.X)
	case *syntax.TupleExpr:
		for _, item := range e.List {
			g.target(item)
		}
	case *syntax.ListExpr:
		for _, item := range e.List {
			g.target(item)
		}
	}
}

// copyTarget copies the target of an augmented assignment, so that it can be
// evaluated as an operand too. It copies only expressions that can safely be
// evaluated twice.
func copyTarget(e syntax.Expr) (syntax.Expr, bool) {
	switch e := e.(type) {
	case *syntax.Ident:
		return &syntax.Ident{NamePos: e.NamePos, Name: e.Name}, true
	case *syntax.Literal:
		return e, true
	case *syntax.ParenExpr:
		return copyTarget(e.X)
	case *syntax.UnaryExpr: // x[-1]
		x, ok := copyTarget(e.X)
		return &syntax.UnaryExpr{OpPos: e.OpPos, Op: e.Op, X: x}, ok
	case *syntax.IndexExpr:
		x, okX := copyTarget(e.X)
		y, okY := copyTarget(e.Y)
		return &syntax.IndexExpr{X: x, Lbrack: e.Lbrack, Y: y, Rbrack: e.Rbrack}, okX && okY
	}
	return e, false
}

func (g *guarder) expr(e syntax.Expr) syntax.Expr {
	defer g.leave()
	if !g.enter() || e == nil {
		return e
	}
	switch e := e.(type) {
	case *syntax.BinaryExpr:
		e.X, e.Y = g.expr(e.X), g.expr(e.Y)
		if binaryOps[e.Op] {
			return call(guardBinary, e.OpPos, text(e.Op.String(), e.OpPos), e.X, e.Y)
		}
	case *syntax.CallExpr:
		e.Fn = g.expr(e.Fn)
		for i, arg := range e.Args {
			e.Args[i] = g.arg(arg)
		}
		e.Args = joinUnpacked(e.Args)
	case *syntax.Comprehension:
		e.Body = g.expr(e.Body)
		for _, clause := range e.Clauses {
			switch c := clause.(type) {
			case *syntax.ForClause:
				g.target(c.Vars)
				c.X = g.expr(c.X)
			case *syntax.IfClause:
				c.Cond = g.expr(c.Cond)
			}
		}
	case *syntax.CondExpr:
		e.Cond, e.True, e.False = g.expr(e.Cond), g.expr(e.True), g.expr(e.False)
	case *syntax.DictEntry:
		e.Key, e.Value = g.expr(e.Key), g.expr(e.Value)
	case *syntax.DictExpr:
		g.exprs(e.List)
	case *syntax.DotExpr:
		e.X = g.expr(e.X)
		return call(guardAttr, e.Dot, e.X, text(e.Name.Name, e.NamePos))
	case *syntax.IndexExpr:
		e.X, e.Y = g.expr(e.X), g.expr(e.Y)
	case *syntax.LambdaExpr:
		g.params(e.Params)
		e.Body = g.expr(e.Body)
	case *syntax.ListExpr:
		g.exprs(e.List)
	case *syntax.ParenExpr:
		e.X = g.expr(e.X)
	case *syntax.SliceExpr:
		e.X = call(guardCopy, e.Lbrack, g.expr(e.X))
		e.Lo, e.Hi, e.Step = g.expr(e.Lo), g.expr(e.Hi), g.expr(e.Step)
	case *syntax.TupleExpr:
		g.exprs(e.List)
	case *syntax.UnaryExpr:
		e.X = g.expr(e.X)
	}
	return e
}

func (g *guarder) exprs(list []syntax.Expr) {
	for i, e := range list {
		list[i] = g.expr(e)
	}
}

// arg guards one argument of a call: x, name=x, *x or **x.
func (g *guarder) arg(e syntax.Expr) syntax.Expr {
	switch e := e.(type) {
	case *syntax.BinaryExpr:
		if e.Op == syntax.EQ {
			e.Y = g.expr(e.Y)
			return e
		}
	case *syntax.UnaryExpr:
		if e.Op == syntax.STAR || e.Op == syntax.STARSTAR {
			e.X = call(guardCopy, e.OpPos, g.expr(e.X))
			return e
		}
	}
	return g.expr(e)
}

// joinUnpacked rewrites f(**a, x=1, **b), which Starlark does not support, as
// f(**$keywords(a, {"x": 1}, b)). Arguments that Python refuses too stay as they
// are.
func joinUnpacked(args []syntax.Expr) []syntax.Expr {
	unpacks := func(arg syntax.Expr) (*syntax.UnaryExpr, bool) {
		e, ok := arg.(*syntax.UnaryExpr)
		return e, ok && e.Op == syntax.STARSTAR
	}
	first := slices.IndexFunc(args, func(arg syntax.Expr) bool { _, ok := unpacks(arg); return ok })
	if first < 0 || first == len(args)-1 {
		return args
	}
	var parts []syntax.Expr
	for _, arg := range args[first:] {
		if e, ok := unpacks(arg); ok {
			parts = append(parts, e.X)
			continue
		}
		e, ok := arg.(*syntax.BinaryExpr)
		if !ok || e.Op != syntax.EQ {
			return args
		}
		name, ok := e.X.(*syntax.Ident)
		if !ok {
			return args
		}
		entry := &syntax.DictEntry{Key: text(name.Name, name.NamePos), Colon: e.OpPos, Value: e.Y}
		parts = append(parts, &syntax.DictExpr{Lbrace: name.NamePos, List: []syntax.Expr{entry}, Rbrace: e.OpPos})
	}
	e, _ := unpacks(args[first])
	return append(args[:first:first], &syntax.UnaryExpr{OpPos: e.OpPos, Op: syntax.STARSTAR, X: call(joinKeywords, e.OpPos, parts...)})
}

// params guards the default values of parameters.
func (g *guarder) params(params []syntax.Expr) {
	for _, p := range params {
		if p, ok := p.(*syntax.BinaryExpr); ok {
			p.Y = g.expr(p.Y)
		}
	}
}

// call builds fn(args...) at pos.
func call(fn string, pos syntax.Position, args ...syntax.Expr) syntax.Expr {
	return &syntax.CallExpr{
		Fn:     &syntax.Ident{NamePos: pos, Name: fn},
		Lparen: pos,
		Args:   args,
		Rparen: pos,
	}
}

func text(s string, pos syntax.Position) syntax.Expr {
	return &syntax.Literal{Token: syntax.STRING, TokenPos: pos, Raw: s, Value: s}
}
