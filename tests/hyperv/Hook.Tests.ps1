# at least: 13 tests
# Install- and Uninstall-VMirrorHook, and what the task runs.
BeforeAll {
    . (Join-Path $PSScriptRoot 'support/World.ps1')
    . (Join-Path $PSScriptRoot 'support/Server.ps1')
    $server = Start-TestServer
    $script = Join-Path $PSScriptRoot '../../hyperv/VMirror/Hook/Send-VMirrorEvent.ps1'
    function Get-Address { param([string] $Name, [string] $Path) "https://localhost:$($server.Port.$Name)/$Path" }
    function Get-Seen { Invoke-RestMethod -Uri (Get-Address good seen) -SkipCertificateCheck }
    function Invoke-TestHook { param([hashtable] $Arguments) @(& (Get-Module VMirror) { param($a) Invoke-Hook @a } $Arguments) }
}
AfterAll { Stop-TestServer $server }

Describe 'Hook' {
    BeforeEach {
        $world = New-TestCluster 3
        $world.Events = @([pscustomobject]@{ Id = 20415; RecordId = 77; TimeCreated = [DateTime]'2026-01-02T03:04:05.678Z'
                Properties = @(@{ Value = 'dc"1 $(evil)' }, @{ Value = '0D7C2D5E-0000-4A6B-8E1B-9A6F1A2B3C4D' }, @{ Value = '12' }) })
        $install = @{ NotifyUri = 'https://sensor1:9480/hyperv/events'; SyncPath = 'C:\vmirror\sessions.json' }
    }

    It 'installs one task on each node, once' {
        $got = Install-VMirrorHook @install -Cluster hvc1
        $got.State | Should -Be @('installed', 'installed', 'installed')
        Get-ChangeCount | Should -Be 3
        (Install-VMirrorHook @install -Cluster hvc1).State | Should -Be @('installed', 'installed', 'installed')
        Get-ChangeCount | Should -Be 3
        (Install-VMirrorHook @install -DelaySec 9 -Cluster hvc1).State | Should -Be @('installed', 'installed', 'installed')
        Get-ChangeCount | Should -Be 6
        (Uninstall-VMirrorHook -Cluster hvc1).State | Should -Be @('absent', 'absent', 'absent')
        foreach ($name in $world.Hosts.Keys) { $world.Hosts[$name].Tasks.Count | Should -Be 0 }
        (Uninstall-VMirrorHook -Cluster hvc1).State | Should -Be @('absent', 'absent', 'absent')
        Get-ChangeCount | Should -Be 9
    }
    It 'writes a task that Windows reads: its events, its action, its account' {
        $null = Install-VMirrorHook @install -CertificateThumbprint ('ab' * 32)
        $xml = [xml](($world.Hosts['hv1'].Tasks['\vmirror\vmirror-hook'].Xml) -replace '^<\?xml[^>]*\?>', '')
        $trigger = $xml.Task.Triggers.EventTrigger
        $query = [xml]$trigger.Subscription
        $query.QueryList.Query.Path | Should -Be 'Microsoft-Windows-Hyper-V-VMMS-Admin'
        $query.QueryList.Query.Select.InnerText | Should -Be '*[System[(EventID=20415 or EventID=20417 or EventID=20418)]]'
        $trigger.ValueQueries.Value.name | Should -Be 'RecordId'
        $trigger.ValueQueries.Value.InnerText | Should -Be 'Event/System/EventRecordID'
        $xml.Task.Principals.Principal.UserId | Should -Be 'S-1-5-18'
        $words = $xml.Task.Actions.Exec.Arguments
        $file = '%ProgramFiles%\WindowsPowerShell\Modules\VMirror\Hook\Send-VMirrorEvent.ps1'
        $words | Should -BeLike "*-File `"$file`" -RecordId `$(RecordId) *"
        $words | Should -BeLike '*-NotifyUri "https://sensor1:9480/hyperv/events"*-SyncPath "C:\vmirror\sessions.json"*'
        # Each parameter that the task names is one of the script's.
        $known = (Get-Command $script).Parameters.Keys
        foreach ($found in [regex]::Matches(($words -replace '^.*-RecordId', '-RecordId'), '(?<= |^)-(\w+) ')) {
            $known | Should -Contain $found.Groups[1].Value
        }
    }
    It 'changes nothing with -WhatIf' {
        (Install-VMirrorHook @install -Cluster hvc1 -WhatIf).State | Should -Be @('planned', 'planned', 'planned')
        Get-ChangeCount | Should -Be 0
        $null = Install-VMirrorHook @install
        (Uninstall-VMirrorHook -WhatIf).State | Should -Be 'planned'
        Get-ChangeCount | Should -Be 1
    }
    It 'leaves a foreign task of that name alone' {
        $world.Hosts['hv2'].Tasks['\vmirror\vmirror-hook'] = @{ TaskName = 'vmirror-hook'; TaskPath = '\vmirror\'; Description = 'mine' }
        $got = Install-VMirrorHook @install -Cluster hvc1
        ($got | Where-Object ComputerName -eq hv2).State | Should -Be 'refused'
        @($got | Where-Object State -eq installed).Count | Should -Be 2
        (Uninstall-VMirrorHook -ComputerName hv2).State | Should -Be 'refused'
        $world.Hosts['hv2'].Tasks.Count | Should -Be 1
    }
    It 'reports a dead node and does the others' {
        $world.Dead['hv2'] = $true
        $got = Install-VMirrorHook @install -Cluster hvc1 -ErrorVariable said -ErrorAction SilentlyContinue
        @($got | Where-Object State -eq installed).Count | Should -Be 2
        "$said" | Should -BeLike '*hv2*'
    }
    It 'refuses <Case>' -ForEach @(
        @{ Case = 'nothing to do'; Use = @{}; Says = '*nothing to do*' }
        @{ Case = 'http'; Use = @{ NotifyUri = 'http://a/' }; Says = '*https:// address*' }
        @{ Case = 'two documents'; Use = @{ SyncUri = 'https://a/'; SyncPath = 'b' }; Says = '*not both*' }
        @{ Case = 'a quote that would end an argument'; Use = @{ SyncPath = 'a" -Command "evil' }; Says = '*must not contain quotes*' }
        @{ Case = 'a bad thumbprint'; Use = @{ SyncPath = 'a'; CertificateThumbprint = 'xyz' }; Says = '*no thumbprint*' }
    ) {
        { Install-VMirrorHook @Use } | Should -Throw $Says
        Get-ChangeCount | Should -Be 0
    }
    It 'tells of a move, over TLS, whatever the VM is called' {
        Invoke-TestHook @{ RecordId = 77; NotifyUri = Get-Address good events } | Should -BeNullOrEmpty
        $told = (Get-Seen).bodies[-1] | ConvertFrom-Json
        "$($told.vmirror) $($told.event) $($told.eventId) $($told.vm) $($told.vmId)" |
            Should -Be '1 migrated 20415 dc"1 $(evil) 0D7C2D5E-0000-4A6B-8E1B-9A6F1A2B3C4D'
        (Get-Seen).bodies[-1] | Should -BeLike '*"time":"2026-01-02T03:04:05.678Z"*'
    }
    It 'syncs though telling fails, and says what failed' {
        $file = Join-Path $TestDrive sessions.json
        Set-Content -LiteralPath $file -Value '{"vmirror": 1, "sessions": [{"name": "dc1", "source": {"vm": "dc1"},
            "destination": {"vm": "SENSOR1", "adapter": "Monitor"}}]}'
        $got = Invoke-TestHook @{ RecordId = 77; NotifyUri = Get-Address good none; SyncPath = $file }
        "$got" | Should -BeLike 'telling of event record 77:*404*'
        (Get-VMirrorSession).State | Should -Be 'ready'
        "$(Invoke-TestHook @{ RecordId = 78; NotifyUri = Get-Address good events })" | Should -BeLike '*record 78*No events*'
        "$(Invoke-TestHook @{ RecordId = 77; SyncPath = 'no.json' })" | Should -BeLike 'sync:*no.json*'
    }
    It 'ends its script with a status that can be alarmed on' {
        $said = & $env:VMIRROR_PWSH -NoProfile -NonInteractive -File $script -RecordId 1 -SyncPath (Join-Path $TestDrive none.json) 2>&1
        "$said" | Should -BeLike '*none.json*'
        $LASTEXITCODE | Should -Be 1
        $said = & $env:VMIRROR_PWSH -NoProfile -NonInteractive -File $script -RecordId 1 2>&1
        $LASTEXITCODE | Should -Be 0 -Because "$said"
    }
}
