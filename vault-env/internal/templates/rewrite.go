package templates

import (
	"reflect"
	"strconv"
	"text/template"
	"text/template/parse"
)

// Names of functions that only a parsed template calls: Parse does not know them, so nobody can write them.
const (
	printName = "_print"
	madeName  = "_made"
	stepName  = "_step"
	enterName = "_enter"
	leaveName = "_leave"
)

// rewriter changes the tree of a parsed template, as html/template does, so that what is printed, loops and templates that
// call each other are counted.
type rewriter struct {
	used map[string]bool // names of functions
}

func (r *rewriter) template(t *template.Template) {
	if t.Tree == nil || t.Root == nil {
		return
	}
	r.list(t.Root)
	t.Root.Nodes = append(append([]parse.Node{action(enterName)}, t.Root.Nodes...), action(leaveName))
}

func (r *rewriter) list(l *parse.ListNode) {
	if l == nil {
		return
	}
	for _, node := range l.Nodes {
		r.node(node)
	}
}

func (r *rewriter) node(node parse.Node) {
	switch node := node.(type) {
	case *parse.ActionNode:
		expression := node.Pipe.String()
		r.uses(node.Pipe)
		if len(node.Pipe.Decl) == 0 {
			node.Pipe.Cmds = append(node.Pipe.Cmds, command(printName, expression))
		}
	case *parse.IfNode:
		r.branch(&node.BranchNode)
	case *parse.WithNode:
		r.branch(&node.BranchNode)
	case *parse.RangeNode:
		r.branch(&node.BranchNode)
		node.List.Nodes = append([]parse.Node{action(stepName)}, node.List.Nodes...)
	case *parse.TemplateNode:
		r.uses(node.Pipe)
	}
}

func (r *rewriter) branch(b *parse.BranchNode) {
	r.uses(b.Pipe)
	r.list(b.List)
	r.list(b.ElseList)
}

// uses notes the functions that an expression calls, and has what its methods make counted, such as (now).Format.
func (r *rewriter) uses(node parse.Node) {
	switch node := node.(type) {
	case *parse.PipeNode:
		if node == nil {
			return
		}
		var counted []*parse.CommandNode
		for i, c := range node.Cmds {
			for _, argument := range c.Args {
				r.uses(argument)
			}
			if counted = append(counted, c); isMethod(c.Args[0]) && (len(c.Args) > 1 || i > 0) {
				counted = append(counted, command(madeName))
			}
		}
		node.Cmds = counted
	case *parse.ChainNode:
		r.uses(node.Node)
	case *parse.IdentifierNode:
		r.used[node.Ident] = true
	}
}

// isMethod returns whether what is called with arguments is a method.
func isMethod(called parse.Node) bool {
	switch called.(type) {
	case *parse.FieldNode, *parse.ChainNode, *parse.VariableNode:
		return true
	}
	return false
}

func action(name string) parse.Node {
	return &parse.ActionNode{NodeType: parse.NodeAction, Pipe: &parse.PipeNode{NodeType: parse.NodePipe, Cmds: []*parse.CommandNode{command(name)}}}
}

func command(name string, arguments ...string) *parse.CommandNode {
	c := &parse.CommandNode{NodeType: parse.NodeCommand, Args: []parse.Node{parse.NewIdentifier(name)}}
	for _, argument := range arguments {
		c.Args = append(c.Args, &parse.StringNode{NodeType: parse.NodeString, Quoted: strconv.Quote(argument), Text: argument})
	}
	return c
}

// functions returns the functions that a template uses, with what they do counted.
func (r *rewriter) functions(all template.FuncMap, b *budget) template.FuncMap {
	bounded := template.FuncMap{printName: b.printed, madeName: b.made, stepName: b.step, enterName: b.enter, leaveName: b.leave}
	for name := range r.used {
		if f, ok := all[name]; ok && reflect.TypeOf(f).Kind() == reflect.Func {
			bounded[name] = b.bounded(name, f)
		}
	}
	return bounded
}
