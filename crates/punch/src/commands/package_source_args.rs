//! The options of `apply` and `plan` that say where packages come from.

use std::path::Path;

use model::node::Node;

use crate::{
    back_office_client::BackOfficeClientOfHost,
    command_context::CommandContext,
    command_error::CommandError,
    host_files::HostFileAccess,
    membership::BackOfficeMembership,
    package_source::{FetchDeadline, PackageSource},
    trusted_keys::TrustSettingsOfHost,
    trusted_node::TrustedNode,
};

/// Options that say where packages come from and whether signatures are checked.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct PackageSourceAndTrustArgs {
    /// Folder of packages, or address of a YUM repository; else the back-office this host joined
    #[arg(long, value_name = "URL-or-DIR")]
    repository: Option<String>,
    /// Accept node files and packages without a signature of a trusted key
    #[arg(long)]
    allow_unsigned: bool,
}

impl PackageSourceAndTrustArgs {
    /// Whether an option was given that needs a node file on the command line.
    pub(super) fn has_options_that_need_a_node_file(&self) -> bool {
        self.repository.is_some() || self.allow_unsigned
    }

    /// Returns the user's node file, verified, and the source of its packages. Before changing anything the
    /// caller must check its generation while holding the lock.
    pub(super) fn open_verified_node_and_source(
        &self,
        context: &CommandContext,
        root: &HostFileAccess,
        node: &Path,
        deadline: FetchDeadline,
    ) -> Result<(TrustedNode, PackageSource), CommandError> {
        let trust = if self.allow_unsigned {
            context.output.print_warning(
                "--allow-unsigned: signatures of the node file and the packages are not checked",
            );
            TrustSettingsOfHost::new_accepting_unsigned()
        } else {
            TrustSettingsOfHost::load_trusted_keys(root)?
        };
        let trusted = TrustedNode::read_and_verify_node_file(node, &trust, &context.output)?;
        let source = self.open_source((context, root), &trusted.node, trust, deadline)?;
        Ok((trusted, source))
    }

    /// The source of the packages of a node that was good on this host, with the keys it trusts.
    pub(super) fn open_source_of_good_node(
        &self,
        context: &CommandContext,
        root: &HostFileAccess,
        node: &Node,
        deadline: FetchDeadline,
    ) -> Result<PackageSource, CommandError> {
        let trust = match self.allow_unsigned {
            true => TrustSettingsOfHost::new_accepting_unsigned(),
            false => TrustSettingsOfHost::load_trusted_keys(root)?,
        };
        self.open_source((context, root), node, trust, deadline)
    }

    fn open_source(
        &self,
        (context, root): (&CommandContext, &HostFileAccess),
        node: &Node,
        trust: TrustSettingsOfHost,
        deadline: FetchDeadline,
    ) -> Result<PackageSource, CommandError> {
        let repository = match &self.repository {
            Some(place) => place.clone(),
            None if BackOfficeMembership::load_membership_if_joined(root)?.is_some() => {
                BackOfficeClientOfHost::client_from_membership(root)?.repository_url(node.channel.as_str())
            }
            None => {
                return Err(CommandError::invalid_input_error(
                    "no repository is known for the packages: this host has not joined a back-office",
                )
                .with_hint(
                    "give `--repository FOLDER`, the folder `punch package` wrote to, or `--repository URL`",
                ));
            }
        };
        PackageSource::open_package_source(&repository, root, trust.packages, deadline, &context.output)
    }
}
