# SPDX-License-Identifier: GPL-3.0-or-later
"""What a unit may say that is not carried over: the table of directives, why, and whether it matters."""

from __future__ import annotations

from typing import Optional

from .imported import BEHAVIOUR, ORDER, PROTECTION, Lost
from .unitfile import Line, names

# read for people or for other programs, and nothing of a job
INFORMATION = frozenset(
    {("Unit", word) for word in names("Description Documentation SourcePath")}
    | {("Install", word) for word in names("Alias Also DefaultInstance WantedBy RequiredBy UpheldBy")}
)

# what a job does by itself, or what has no meaning for one
NEEDLESS = frozenset(
    names("""
    CollectMode DefaultDependencies RefuseManualStart RefuseManualStop AllowIsolate IgnoreOnIsolate
    StopWhenUnneeded NotifyAccess GuessMainPID IgnoreSIGPIPE NonBlocking PermissionsStartOnly
    RuntimeDirectoryPreserve RuntimeDirectoryMode StateDirectoryMode CacheDirectoryMode LogsDirectoryMode
    ConfigurationDirectoryMode SyslogIdentifier SyslogFacility SyslogLevel SyslogLevelPrefix LogLevelMax
    LogRateLimitIntervalSec LogRateLimitBurst Delegate DelegateSubgroup Slice CPUAccounting MemoryAccounting
    TasksAccounting IOAccounting IPAccounting BlockIOAccounting SELinuxContextFromNet StartupCPUWeight
    StartupIOWeight DisableControllers ExitType SurviveFinalKillSignal CPUSchedulingResetOnFork
    """)
)

_MOUNTS = "it needs a mount namespace of its own"
_KERNEL = "it needs a filter in the kernel that is not set up here"
_CGROUP = "it needs a program in the control group"

# directive: why it is not in force here
_PROTECTION = {
    **dict.fromkeys(
        names("""
        PrivateTmp PrivateDevices PrivateMounts PrivateBPF PrivatePIDs ProtectSystem ProtectHome ProtectKernelTunables
        ProtectControlGroups ProtectKernelLogs ProtectProc ProcSubset ReadWritePaths ReadOnlyPaths InaccessiblePaths
        ReadWriteDirectories ReadOnlyDirectories InaccessibleDirectories ExecPaths NoExecPaths TemporaryFileSystem
        BindPaths BindReadOnlyPaths MountFlags MountAPIVFS RootImage RootHash RootVerity RootImageOptions MountImages
        ExtensionImages ExtensionDirectories BindLogSockets
        """),
        _MOUNTS,
    ),
    **dict.fromkeys(names("PrivateNetwork NetworkNamespacePath"), "it needs a network namespace of its own"),
    **dict.fromkeys(names("PrivateIPC IPCNamespacePath"), "it needs an IPC namespace of its own"),
    **dict.fromkeys(names("PrivateUsers ProtectHostname JoinsNamespaceOf"), "it needs a namespace of its own"),
    **dict.fromkeys(
        names("""
        SystemCallFilter SystemCallArchitectures SystemCallErrorNumber SystemCallLog RestrictAddressFamilies
        RestrictNamespaces RestrictRealtime RestrictSUIDSGID RestrictFileSystems MemoryDenyWriteExecute LockPersonality
        ProtectClock ProtectKernelModules
        """),
        _KERNEL,
    ),
    **dict.fromkeys(
        names("""
        DeviceAllow DevicePolicy IPAddressAllow IPAddressDeny IPIngressFilterPath IPEgressFilterPath SocketBindAllow
        SocketBindDeny RestrictNetworkInterfaces BPFProgram
        """),
        _CGROUP,
    ),
    "RemoveIPC": "what it leaves in System V IPC stays",
    "KeyringMode": "it keeps the supervisor's keyring",
    "SELinuxContext": "SELinux decides by the program's own label",
    "SmackProcessLabel": "Smack decides by the program's own label",
    "CoredumpFilter": "the kernel's own setting holds",
}
_BEHAVIOUR = {
    **dict.fromkeys(
        names("""
        WatchdogSignal RestartKillSignal TimeoutAbortSec TimeoutStartFailureMode TimeoutStopFailureMode
        RuntimeMaxSec RuntimeRandomizedExtraSec
        """),
        "the supervisor watches no such time",
    ),
    **dict.fromkeys(
        names("LoadCredential LoadCredentialEncrypted SetCredential SetCredentialEncrypted ImportCredential"),
        "there are no credentials here",
    ),
    **dict.fromkeys(
        names("FileDescriptorStoreMax FileDescriptorStorePreserve OpenFile Sockets"),
        "the daemon gets no descriptors and opens its own",
    ),
    **dict.fromkeys(names("TTYPath TTYReset TTYVHangup TTYVTDisallocate TTYRows TTYColumns UtmpIdentifier UtmpMode"),
                    "a job has no terminal"),
    **dict.fromkeys(names("NUMAPolicy NUMAMask"), "memory policies are not set"),
    **dict.fromkeys(names("TimerSlackNSec Personality"), "it is not set"),
    **dict.fromkeys(
        names("OOMPolicy ManagedOOMSwap ManagedOOMMemoryPressure ManagedOOMMemoryPressureLimit ManagedOOMPreference"),
        "when the kernel ends a process for lack of memory, the job goes on while its main process does",
    ),
    **dict.fromkeys(
        names("""
        SuccessAction FailureAction StartLimitAction FailureActionExitStatus SuccessActionExitStatus RebootArgument
        JobTimeoutSec JobRunningTimeoutSec JobTimeoutAction JobTimeoutRebootArgument
        """),
        "a job does not act on the host",
    ),
    "USBFunctionDescriptors": "it is not set",
    "USBFunctionStrings": "it is not set",
    "LogExtraFields": "the log is a file",
    "LogNamespace": "the log is a file",
    "LogFilterPatterns": "the log is a file",
    "StandardInputText": "the daemon reads /dev/null",
    "StandardInputData": "the daemon reads /dev/null",
    "PAMName": "no PAM session is opened",
    "SendSIGHUP": "SIGHUP is not sent after the kill signal",
    "RootDirectoryStartOnly": "the root folder is the same for all its commands",
    "LimitRTTIME": "there is no such limit in a job",
    "LimitLOCKS": "there is no such limit in Linux",
}  # fmt: skip
_ORDER = {
    **dict.fromkeys(names("After Before"), "jobs that start at boot start together"),
    **dict.fromkeys(names("Wants Upholds"), "what it wants is started by itself"),
    **dict.fromkeys(names("Requires Requisite"), "what it requires is started by itself"),
    **dict.fromkeys(names("RequiresMountsFor WantsMountsFor"), "file systems are mounted by the host"),
    **dict.fromkeys(names("OnFailure OnSuccess OnFailureJobMode OnSuccessJobMode"),
                    "no other unit is started when it ends"),
    **dict.fromkeys(names("PropagatesReloadTo ReloadPropagatedFrom PropagatesStopTo"),
                    "a reload concerns the job alone"),
    "BindsTo": "it is stopped with the other, and started by itself",
}  # fmt: skip


def lost(line: Line) -> Optional[Lost]:
    """Return the sentence for an assignment that nothing of a job stands for, None where nothing is lost."""
    directive = line.directive
    if (line.section, directive) in INFORMATION or directive in NEEDLESS or directive.startswith("X-"):
        return None
    if line.section.startswith("X-"):
        return None
    where = (directive, line.value)
    if directive in _ORDER:
        return Lost(*where, ORDER, directive == "OnFailure", f"Is not carried over: {_ORDER[directive]}.", line.where)
    if line.value.lower() in ("no", "false", "off", "0", "inherit") and directive in _PROTECTION:
        return None  # a protection that is off
    if directive in _PROTECTION:
        return Lost(*where, PROTECTION, True, f"Is not in force: {_PROTECTION[directive]}.", line.where)
    if directive in _BEHAVIOUR:
        return Lost(*where, BEHAVIOUR, directive not in _SMALL, f"Is ignored: {_BEHAVIOUR[directive]}.", line.where)
    return Lost(*where, BEHAVIOUR, True, "Is ignored: it is not known here.", line.where)


_SMALL = frozenset(names("OOMPolicy SendSIGHUP LimitRTTIME TimeoutAbortSec LogExtraFields LogNamespace"))
