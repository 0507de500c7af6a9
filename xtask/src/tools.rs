//! The other people's programs that the tests drive: what is missing is installed.

use std::path::PathBuf;

use crate::sh::{self, Outcome, command, say};

/// Tells the tests where [`folder`] is.
pub(crate) const VARIABLE: &str = "TEST_TOOLS";

/// A program, and the Debian package that has it.
struct Tool {
    program: &'static str,
    arguments: &'static [&'static str],
    package: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { program: "nc", arguments: &["-h"], package: "netcat-openbsd" },
    Tool { program: "openssl", arguments: &["version"], package: "openssl" },
    Tool { program: "chromium", arguments: &["--version"], package: "chromium" },
    Tool { program: "chromedriver", arguments: &["--version"], package: "chromium-driver" },
    Tool { program: "python3", arguments: &["--version"], package: "python3" },
    Tool { program: "python3", arguments: &["-c", "import venv, ensurepip"], package: "python3-venv" },
    Tool { program: "weechat-headless", arguments: &["--version"], package: "weechat-headless" },
    // What WeeChat speaks IRC with.
    Tool { program: "dpkg", arguments: &["-s", "weechat-plugins"], package: "weechat-plugins" },
    Tool { program: "irssi", arguments: &["--version"], package: "irssi" },
    Tool { program: "dpkg", arguments: &["-s", "ii"], package: "ii" },
    Tool { program: "node", arguments: &["--version"], package: "nodejs" },
    Tool { program: "npm", arguments: &["--version"], package: "npm" },
];

/// From PyPI: the rooms protocol's own client, and an IRC library.
const PYTHON_PACKAGES: [&str; 2] = ["cn_tcp_server==0.0.2", "irc==20.5.0"];

/// From the npm registry: an IRC library.
const NODE_PACKAGE: &str = "irc-framework@4.14.0";

/// From the npm registry: The Lounge, what its page talks to it with, and the Node.js that it needs, which is newer than
/// Debian's. The library that it would have from elsewhere is taken from the registry, too.
fn lounge() -> String {
    let processor = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let framework = NODE_PACKAGE.rsplit('@').next().unwrap_or_default();
    format!(
        r#"{{
  "private": true,
  "dependencies": {{ "thelounge": "4.5.2", "socket.io-client": "4.8.1", "node-linux-{processor}": "22.23.3" }},
  "overrides": {{ "thelounge": {{ "irc-framework": "{framework}" }} }}
}}
"#
    )
}

/// Where what does not come from Debian is installed.
pub(crate) fn folder() -> PathBuf {
    sh::target().join("test-tools")
}

/// Installs what is missing; does nothing, and needs no rights, if everything is there.
pub(crate) fn install() -> Outcome {
    let missing: Vec<&str> = TOOLS
        .iter()
        .filter(|tool| !sh::works(command(tool.program).args(tool.arguments)))
        .map(|tool| tool.package)
        .collect();
    if !missing.is_empty() {
        install_packages(&missing)?;
    }
    install_python_packages()?;
    install_node_package()?;
    install_lounge()
}

fn install_packages(packages: &[&str]) -> Outcome {
    let wanted = packages.join(" ");
    say(&format!("the tests need Debian packages that are not installed: {wanted}"));
    let by_hand = format!("install them by hand, with: apt-get install {wanted}");
    if !sh::works(command("apt-get").arg("--version")) {
        return Err(format!("there is no apt-get here\nhint: {by_hand} (or what your system calls them)"));
    }
    let root = sh::read(command("id").arg("-u"))?.trim() == "0";
    if !root && !sh::works(command("sudo").args(["-n", "true"])) {
        return Err(format!(
            "only root can install packages, and sudo without a password is not there\nhint: {by_hand}"
        ));
    }
    let apt = |arguments: &[&str]| {
        let mut apt = if root { command("apt-get") } else { command("sudo") };
        if !root {
            apt.args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        }
        sh::run(apt.env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
    };
    apt(&["update", "-q"])?;
    apt(&[&["install", "-q", "-y", "--no-install-recommends"], packages].concat())
}

fn install_python_packages() -> Outcome {
    let folder = folder().join("venv");
    let python = folder.join("bin/python");
    if sh::works(command(&python).args(["-c", "import tcp_chat.client, irc.client"])) {
        return Ok(());
    }
    let wanted = PYTHON_PACKAGES.join(" and ");
    say(&format!("the tests need {wanted} from PyPI: installing into {}", folder.display()));
    sh::run(command("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check"];
    sh::run(command(&python).args(pip).args(PYTHON_PACKAGES))
}

fn install_node_package() -> Outcome {
    let folder = folder().join("node");
    if folder.join("node_modules/irc-framework/package.json").exists() {
        return Ok(());
    }
    say(&format!(
        "the tests need {NODE_PACKAGE} from the npm registry: installing into {}",
        folder.display()
    ));
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let npm = ["install", "--no-save", "--no-audit", "--no-fund", "--no-update-notifier", "--prefix"];
    sh::run(command("npm").args(npm).arg(&folder).arg(NODE_PACKAGE))
}

fn install_lounge() -> Outcome {
    let (folder, wanted) = (folder().join("lounge"), lounge());
    let (list, done) = (folder.join("package.json"), folder.join("node_modules/.package-lock.json"));
    if done.exists() && std::fs::read_to_string(&list).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    say(&format!("the tests need The Lounge from the npm registry: installing into {}", folder.display()));
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&list, wanted));
    written.map_err(|error| format!("{}: {error}", list.display()))?;
    // None of them needs to run anything to be installed. Which Node.js runs npm is of no matter.
    let npm = ["install", "--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts", "--prefix"];
    sh::run(command("npm").args(npm).arg(&folder).env("npm_config_engine_strict", "false"))
}
