package cuda

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The environment variables that name a library: its file, or a folder that holds
// it.
const (
	cudnnVariable = "REPVGG_CUDNN_PATH"
	nvrtcVariable = "REPVGG_NVRTC_PATH"
)

// library is a shared library to search for.
type library struct {
	// names are file names, the preferred first.
	names []string
	// variable is the environment variable that names it, if there is one.
	variable string
	// wheels are the folders below nvidia/ in which NVIDIA's Python packages put
	// it.
	wheels []string
	// folders are those of system packages and installers.
	folders []string
}

var (
	driverLibrary = library{names: []string{"libcuda.so.1"}, folders: []string{"/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib/wsl/lib"}}
	cudnnLibrary  = library{
		names: []string{"libcudnn.so.9"}, variable: cudnnVariable, wheels: []string{"cudnn"},
		folders: []string{"/usr/local/cuda/lib64", "/usr/local/cuda/targets/x86_64-linux/lib", "/opt/cuda/lib64"},
	}
	nvrtcLibrary = library{
		names: []string{"libnvrtc.so.13", "libnvrtc.so.12"}, variable: nvrtcVariable, wheels: []string{"cu13", "cu12", "cuda_nvrtc"},
		folders: []string{"/usr/local/cuda/lib64", "/usr/local/cuda/targets/x86_64-linux/lib", "/opt/cuda/lib64"},
	}
	// cuDNN opens these by name when an engine needs them (see Preload).
	cublasLibrary   = library{names: []string{"libcublas.so.13", "libcublas.so.12"}, wheels: []string{"cu13", "cu12", "cublas"}}
	cublasLtLibrary = library{names: []string{"libcublasLt.so.13", "libcublasLt.so.12"}, wheels: []string{"cu13", "cu12", "cublas"}}
)

// nvrtcFor is nvrtcLibrary for a driver that supports CUDA up to a version, 13000
// for 13.0. The newest version whose code the driver runs comes first.
func nvrtcFor(cuda int) library {
	l := nvrtcLibrary
	if cuda < 13000 {
		l.names, l.wheels = slices.Clone(l.names), slices.Clone(l.wheels)
		slices.Reverse(l.names)
		slices.Reverse(l.wheels)
	}
	return l
}

// maxLinks is how many links are followed from a Python on the PATH.
const maxLinks = 8

// Environment is what the search for libraries depends on.
type Environment struct {
	// Getenv gives the value of an environment variable, empty if it is not set.
	Getenv func(name string) string
	// Home is the user's home folder; empty if there is none.
	Home string
	// For tests: Root is put before all fixed folders, and Driver is opened instead
	// of libcuda.
	Root, Driver string
}

// HostEnvironment is that of this process.
func HostEnvironment() Environment {
	home, _ := os.UserHomeDir() // without one nothing is searched below it
	return Environment{Getenv: os.Getenv, Home: home}
}

// candidates are the names to try to open, in order. If the variable is set,
// only what it names is tried.
func (l *library) candidates(env Environment) ([]string, error) {
	if l.variable != "" {
		if place := env.Getenv(l.variable); place != "" {
			return l.at(place)
		}
	}
	found := slices.Clone(l.names) // where the dynamic linker finds them
	for _, site := range env.sitePackages() {
		for _, wheel := range l.wheels {
			found = append(found, l.in(filepath.Join(site, "nvidia", wheel, "lib"))...)
		}
	}
	for _, folder := range l.folders {
		found = append(found, l.in(filepath.Join(env.Root, folder))...)
	}
	return found, nil
}

// at are the candidates for the variable's value.
func (l *library) at(place string) ([]string, error) {
	info, err := os.Stat(place)
	if err != nil {
		return nil, fmt.Errorf("%s=%q: %w", l.variable, place, err)
	}
	if !info.IsDir() {
		return []string{place}, nil
	}
	for _, folder := range []string{place, filepath.Join(place, "lib"), filepath.Join(place, "lib64")} {
		if found := l.in(folder); len(found) > 0 {
			return found, nil
		}
	}
	return nil, fmt.Errorf("%s=%q: the folder has no %s", l.variable, place, strings.Join(l.names, " or "))
}

// in are the files of the library in a folder.
func (l *library) in(folder string) []string {
	var found []string
	for _, name := range l.names {
		file := filepath.Join(folder, name)
		if info, err := os.Stat(file); err == nil && !info.IsDir() {
			found = append(found, file)
		}
	}
	return found
}

// sitePackages are the folders of installed Python packages: of the virtual
// environment, of each Python on the PATH, of the user, of the system. No Python is
// run.
func (env Environment) sitePackages() []string {
	var prefixes []string
	for _, name := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if dir := env.Getenv(name); dir != "" {
			prefixes = append(prefixes, dir)
		}
	}
	for _, dir := range filepath.SplitList(env.Getenv("PATH")) {
		for _, python := range []string{"python3", "python"} {
			file := filepath.Join(dir, python)
			if _, err := os.Stat(file); err != nil {
				continue
			}
			// The Python of a virtual environment is a link to the Python that made
			// it, and other links may lead to it: each link's folder is searched.
			for range maxLinks {
				prefixes = append(prefixes, filepath.Dir(filepath.Dir(file)))
				target, err := os.Readlink(file)
				if err != nil {
					break
				}
				if !filepath.IsAbs(target) {
					target = filepath.Join(filepath.Dir(file), target)
				}
				file = target
			}
			if target, err := filepath.EvalSymlinks(file); err == nil { // where folders are links
				prefixes = append(prefixes, filepath.Dir(filepath.Dir(target)))
			}
		}
	}
	if env.Home != "" {
		prefixes = append(prefixes, filepath.Join(env.Home, ".local"))
	}
	for _, dir := range []string{"/usr/local", "/usr", "/opt/conda", "/opt/venv"} {
		prefixes = append(prefixes, filepath.Join(env.Root, dir))
	}
	folders := filepath.SplitList(env.Getenv("PYTHONPATH"))
	for _, prefix := range prefixes {
		for _, lib := range []string{"lib", "lib64"} {
			for _, packages := range []string{"site-packages", "dist-packages"} {
				// Glob fails only for a bad pattern.
				versions, _ := filepath.Glob(filepath.Join(escapeGlob(prefix), lib, "python3*", packages))
				slices.Reverse(versions) // newer ones first, by name
				folders = append(folders, versions...)
			}
		}
	}
	return distinct(folders)
}

// escapeGlob quotes the characters that mean something to filepath.Glob.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// distinct keeps the first of equal values.
func distinct(values []string) []string {
	var kept []string
	for _, v := range values {
		if !slices.Contains(kept, v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// open tries the candidates in turn. If none opens, the error is that of the last
// file, or without a file that of the first name.
func (l *library) open(env Environment, open func(name string) error) error {
	names, err := l.candidates(env)
	if err != nil {
		return err
	}
	var first, file error
	for _, name := range names {
		err := open(name)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
		if filepath.IsAbs(name) {
			file = err
		}
	}
	if file != nil {
		return file
	}
	return first
}
