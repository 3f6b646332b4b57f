package checkpoint

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"repvgg/internal/python/pickle"
)

// Global is a class or function that a checkpoint's pickles name.
type Global struct {
	// Name is its full one: "torch._utils._rebuild_tensor_v2".
	Name string `json:"name"`
	Use  Use    `json:"use"`
}

// Use is what becomes of a Global.
type Use string

// What is said of globals.
const (
	// Read is that what it stands for is known and was made here.
	Read Use = "read"
	// Ignored is that a placeholder stands for it.
	Ignored Use = "ignored"
	// Suspicious is Ignored, and that Python would do harm if it loaded the file
	// without weights_only=True.
	Suspicious Use = "suspicious"
)

func globalsOf(named []pickle.Named) []Global {
	var globals []Global
	seen := make(map[pickle.Global]int)
	for _, n := range named {
		i, twice := seen[n.Global]
		if !twice {
			i = len(globals)
			seen[n.Global] = i
			globals = append(globals, Global{Name: n.String(), Use: Ignored})
		}
		_, isStorage := storageType(n.Global)
		switch {
		case isSuspicious(n.Global):
			globals[i].Use = Suspicious
		case n.Known || isStorage:
			globals[i].Use = Read
		}
	}
	return globals
}

// ReadGlobals gives the Globals of a file that need not hold a state dict.
func ReadGlobals(path string) ([]Global, error) {
	c, err := openFile(path, func(c *File, r io.ReaderAt, size int64) error {
		_, err := c.contents(r, size)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.Globals, c.Close()
}

// Suspicious names the globals that Python would do harm with. It is advice for
// whoever passes the file on, not a filter: nothing here depends on it, and a
// pickle can do harm with names that nobody has thought of.
func (c *File) Suspicious() []string {
	var names []string
	for _, g := range c.Globals {
		if g.Use == Suspicious {
			names = append(names, g.Name)
		}
	}
	return names
}

// harmful are modules whose functions run commands, load code, open files and
// connections, or load pickles.
var harmful = words(`os posix nt subprocess sys pty runpy importlib imp zipimport pkgutil shutil socket
	code codeop ctypes _ctypes cffi commands popen2 webbrowser pdb bdb cProfile profile timeit trace doctest pydoc
	pip ensurepip venv distutils setuptools multiprocessing asyncio
	http httplib urllib urllib2 requests aiohttp httpx ftplib smtplib telnetlib xmlrpc
	pickle _pickle cPickle dill cloudpickle joblib shelve marshal linecache idlelib lib2to3`)

// harmfulIn are functions of modules that are harmless otherwise.
var harmfulIn = map[string]map[string]bool{
	"builtins":            words("eval exec execfile compile open file input raw_input breakpoint __import__ globals locals vars apply setattr delattr reload"),
	"types":               words("FunctionType CodeType LambdaType MethodType"),
	"operator":            words("methodcaller attrgetter"),
	"torch":               words("load"),
	"torch.serialization": words("load"),
	"torch.hub":           words("load load_state_dict_from_url download_url_to_file"),
	"torch.storage":       words("_load_from_bytes"),
	"numpy":               words("load fromfile"),
}

// harmless are classes of harmful modules that only hold values.
var harmless = words("os.stat_result os.terminal_size os.PathLike os.times_result posix.stat_result nt.stat_result")

// inside are attributes by way of which a harmless name reaches a harmful one.
var inside = words("os sys posix nt subprocess importlib builtins __builtins__ __globals__ __import__ __subclasses__ __class__ __getattribute__ func_globals system popen eval exec")

func words(s string) map[string]bool {
	set := make(map[string]bool)
	for w := range strings.FieldsSeq(s) {
		set[w] = true
	}
	return set
}

func isSuspicious(g pickle.Global) bool {
	module := g.Module
	switch module {
	case "__builtin__":
		module = "builtins"
	case "numpy._core", "numpy.core":
		module = "numpy"
	}
	if harmless[module+"."+g.Name] {
		return false
	}
	name, _, _ := strings.Cut(g.Name, ".")
	root, _, _ := strings.Cut(module, ".")
	return harmful[root] || harmfulIn[module][name] || strings.HasPrefix(module, "numpy.testing") || strings.HasPrefix(module, "numpy.f2py") ||
		slices.ContainsFunc(strings.Split(g.Name, "."), func(part string) bool { return inside[part] })
}

// Notes are what a user should know of the file that is no failure, a sentence
// each.
func (c *File) Notes() []string {
	var notes []string
	if names := c.Suspicious(); len(names) > 0 {
		notes = append(notes, fmt.Sprintf("%q holds references to %s; nothing was run, but torch.load without weights_only=True would run them", c.Path, some(names)))
	}
	if c.Unchecked {
		notes = append(notes, fmt.Sprintf("%q has no CRC-32 checksums (torch.serialization.set_crc32_options(False) leaves them out): damage to its tensors would go unnoticed", c.Path))
	}
	if n := len(c.Counters); n > 0 {
		notes = append(notes, fmt.Sprintf("%q also holds %d counters that are no part of the network and are left out: %s", c.Path, n, some(c.Counters)))
	}
	return notes
}

// some lists the first few names, quoted where they are not plain.
func some(names []string) string {
	const most = 3
	var shown []string
	for _, name := range names[:min(len(names), most)] {
		if quoted := fmt.Sprintf("%.80q", name); quoted != `"`+name+`"` {
			name = quoted
		}
		shown = append(shown, name)
	}
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(shown, ", "), more)
	}
	return strings.Join(shown, ", ")
}
