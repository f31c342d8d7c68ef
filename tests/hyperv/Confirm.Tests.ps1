# at least: 4 tests
# -Confirm: a person who answers each question, by a host of PowerShell that has a list of refusals.
BeforeAll {
    . (Join-Path $PSScriptRoot 'support/World.ps1')
    Add-Type -TypeDefinition @'
using System;
using System.Collections.Generic;
using System.Collections.ObjectModel;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Security;
namespace VMirrorTest
{
    // Answers Yes, or No where the question holds one of these words.
    public sealed class Person : PSHostUserInterface
    {
        public readonly List<string> Questions = new List<string>();
        public string[] Declines = new string[0];
        public override PSHostRawUserInterface RawUI { get { return null; } }
        public override int PromptForChoice(string caption, string message, Collection<ChoiceDescription> choices, int standard)
        {
            Questions.Add(message);
            foreach (string word in Declines) { if (message.Contains(word)) { return 2; } }  // Yes, Yes to all, No.
            return 0;
        }
        public override Dictionary<string, PSObject> Prompt(string c, string m, Collection<FieldDescription> d)
        {
            throw new NotSupportedException();
        }
        public override PSCredential PromptForCredential(string c, string m, string u, string t) { throw new NotSupportedException(); }
        public override PSCredential PromptForCredential(string c, string m, string u, string t, PSCredentialTypes a,
            PSCredentialUIOptions o) { throw new NotSupportedException(); }
        public override string ReadLine() { throw new NotSupportedException(); }
        public override SecureString ReadLineAsSecureString() { throw new NotSupportedException(); }
        public override void Write(string value) { }
        public override void Write(ConsoleColor f, ConsoleColor b, string value) { }
        public override void WriteLine(string value) { }
        public override void WriteErrorLine(string value) { }
        public override void WriteDebugLine(string value) { }
        public override void WriteVerboseLine(string value) { }
        public override void WriteWarningLine(string value) { }
        public override void WriteProgress(long id, ProgressRecord record) { }
    }
    public sealed class PersonsHost : PSHost
    {
        public readonly Person Person = new Person();
        private readonly Guid id = Guid.NewGuid();
        public override CultureInfo CurrentCulture { get { return CultureInfo.InvariantCulture; } }
        public override CultureInfo CurrentUICulture { get { return CultureInfo.InvariantCulture; } }
        public override Guid InstanceId { get { return id; } }
        public override string Name { get { return "person"; } }
        public override PSHostUserInterface UI { get { return Person; } }
        public override Version Version { get { return new Version(1, 0); } }
        public override void EnterNestedPrompt() { }
        public override void ExitNestedPrompt() { }
        public override void NotifyBeginApplication() { }
        public override void NotifyEndApplication() { }
        public override void SetShouldExit(int code) { }
    }
}
'@
    # Runs a command where a person answers; returns its output, the questions and the errors.
    function Invoke-AsPerson {
        param([string] $Command, [string[]] $Declines = @())
        $with = New-Object VMirrorTest.PersonsHost
        $with.Person.Declines = $Declines
        $space = [System.Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace($with)
        $space.Open()
        $shell = [powershell]::Create()
        $shell.Runspace = $space
        try {
            $null = $shell.AddScript("param(`$m) Import-Module `$m; $Command").AddArgument((Get-Module VMirror).Path)
            $output = $shell.Invoke()
            @{ Output = $output; Questions = @($with.Person.Questions); Errors = @($shell.Streams.Error) }
        } finally {
            $shell.Dispose()
            $space.Dispose()
        }
    }
}

Describe 'Confirm' {
    BeforeEach {
        $null = New-StandInWorld
        $h = New-TestHost
        $before = Get-StandInPicture hv1
        $set = 'Set-VMirrorSession -Name dc1 -VMName dc1 -DestinationVMName SENSOR -Confirm'
    }
    It 'asks once for each setting, and for nothing else' {
        $got = Invoke-AsPerson $set
        $got.Output.State | Should -Be 'ready'
        $got.Questions.Count | Should -Be 4
        $got = Invoke-AsPerson 'Remove-VMirrorSession -Name dc1 -Confirm'
        $got.Questions.Count | Should -Be 4
        Get-StandInPicture hv1 | Should -Be $before
    }
    It 'leaves out what is declined, says what is open, and asks again the next time' {
        $got = Invoke-AsPerson $set -Declines 'NDIS capture'
        $got.Questions.Count | Should -Be 4
        $got.Output.State | Should -Be 'failed'
        $got.Output.Reason | Should -BeLike "*NDIS capture extension of switch vSwitch is 'Disabled', not 'Enabled'*"
        $h.Switches[0].Notes | Should -Be ''
        (Get-TestAdapter $h dc1 'Network Adapter').Mode | Should -Be 'Source'
        $got = Invoke-AsPerson $set
        $got.Questions.Count | Should -Be 1
        $got.Output.State | Should -Be 'ready'
    }
    It 'does what does not need the adapter that was declined' {
        $null = (Get-TestVM $h SENSOR).Adapters.RemoveAt(1)
        $got = Invoke-AsPerson "$set -SwitchName vSwitch" -Declines 'absent -> present'
        $got.Errors | Should -BeNullOrEmpty
        $got.Output.State | Should -Be 'failed'
        (Get-TestVM $h SENSOR).Adapters.Count | Should -Be 1
        $h.Switches[0].Capture | Should -BeTrue
    }
    It 'asks before it removes a switch of its own' {
        $null = (Get-TestVM $h SENSOR).Adapters.RemoveAt(1)
        $null = Set-VMirrorSession -Name span -ExternalPort -DestinationVMName SENSOR -SwitchName new -NetAdapterName Ethernet
        $null = Invoke-AsPerson 'Remove-VMirrorSession -Name span -Confirm' -Declines 'switch new: present'
        @($h.Switches | ForEach-Object { $_.Name }) | Should -Contain 'new'
        Remove-VMirrorSession -Name span
        @($h.Switches | ForEach-Object { $_.Name }) | Should -Be @('vSwitch')
    }
}
