"""bash, zsh and fish on a terminal, as a person has them: what Tab makes of what is typed.

The completions are those of debian/completions, in a folder with bash/, zsh/ and fish/. Each shell reads them from where its
package would put them, but bash, whose loader is a package of its own: it sources the file.
"""

import os
import pty
import select
import tempfile

import world as w

SHELLS = ("bash", "zsh", "fish")
TAB, END = b"\t", b"\x18"  # END is bound to what writes the line down.
READY = b"READY> "


def _bash(folder, home, told):
    _write(home, "rc", f"PS1='{READY.decode()}'\nHISTFILE=\n. {folder}/bash/vmirror\n. {folder}/bash/vmirrord\n"
           f"bind -x '\"\\C-x\": printf \"%s\\n\" \"$READLINE_LINE\" > {told}; exit'\n")
    return ["bash", "--noprofile", "--rcfile", home + "/rc", "-i"], {}


def _zsh(folder, home, told):
    _write(home, ".zshrc", f"PS1='{READY.decode()}'\nfpath=({folder}/zsh $fpath)\nautoload -U compinit\ncompinit -u -d {home}/dump\n"
           f"finish() {{ print -r -- \"$BUFFER\" > {told}; exit }}\nzle -N finish\nbindkey '^X' finish\nbindkey '^I' complete-word\n")
    return ["zsh", "-i"], {"ZDOTDIR": home}


def _fish(folder, home, told):
    os.makedirs(home + "/share/fish")
    os.symlink(folder + "/fish", home + "/share/fish/vendor_completions.d")
    os.makedirs(home + "/config/fish")
    _write(home, "config/fish/config.fish", f"function fish_prompt; printf '{READY.decode()}'; end\nset fish_greeting\n"
           f"function fish_title; end\nbind \\cx 'printf \"%s\\n\" (commandline) > {told}; exit'\n")
    return ["fish", "-i"], {"XDG_CONFIG_HOME": home + "/config", "XDG_DATA_HOME": home + "/data", "XDG_DATA_DIRS": home + "/share:/usr/share"}


def _write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
        out.write(text)


def after_tab(shell, folder, typed, environment):
    """The line that `shell` has after Tab at the end of `typed`. The programs must be in the environment's PATH: fish
    completes no program that it can't find."""
    with tempfile.TemporaryDirectory() as home:
        told = home + "/told"
        words, more = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](folder, home, told)
        child, terminal = pty.fork()
        if child == 0:
            os.environ.update({**environment, **more, "HOME": home, "TERM": "dumb"})
            os.execvp(words[0], words)
        seen = b""

        def has(what):
            nonlocal seen
            while select.select([terminal], [], [], 0)[0]:
                try:
                    seen += os.read(terminal, 65536)
                except OSError:  # The shell has ended.
                    break
            return what()
        try:
            w.wait_for(f"{shell}'s prompt", lambda: has(lambda: READY in seen))
            os.write(terminal, typed.encode() + TAB + END)
            w.wait_for(f"what {shell} makes of `{typed}`", lambda: has(lambda: os.path.exists(told) and os.path.getsize(told)))
        except w.Failed as error:
            raise w.Failed(f"{error}: {seen.decode(errors='replace')}") from None
        finally:
            os.close(terminal)  # The shell gets a hangup, if it is still there.
            os.waitpid(child, 0)
        with open(told, encoding="utf-8") as line:
            return line.read().rstrip("\n")
